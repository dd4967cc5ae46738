"""A CRM on SQLite behind its own MCP server: the system that the example plugin works with.

    python examples/crm/server.py DATABASE [PORT]

A new database is filled with three customers. It listens on this machine only, and prints its address.
"""

from __future__ import annotations

import socket
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import MCPServer

_SCHEMA = """
create table customers (id integer primary key, name text not null unique, city text not null, contact text not null);
create table offers (number text primary key, customer integer not null references customers, title text not null,
                     cents integer not null check (cents > 0), due text not null, state text not null);
create table visits (id integer primary key, customer integer not null references customers, day text not null,
                     note text not null);
"""
_CUSTOMERS = (
    (1, "Harbour Foods", "Bristol", "Ines Calder"),
    (2, "Northwind Traders", "Leeds", "Dana Reyes"),
    (3, "Lantern Optics", "Cork", "Noel Bright"),
)
_OFFERS = (
    ("O-2031", 1, "Cold room doors, 4 pieces", 1_284_050, "2026-12-11", "open"),
    ("O-2044", 1, "Yearly maintenance", 239_900, "2026-12-18", "open"),
    ("O-2050", 1, "Spare seals", 8_475, "2027-01-08", "open"),
    ("O-1987", 1, "Loading ramp", 940_000, "2026-09-30", "lost"),
    ("O-2047", 2, "Door curtain", 61_200, "2026-12-14", "open"),
)
_VISITS = ((1, 1, "2026-09-03", "Doors of room 2 close badly; wants a price before Christmas."),)


class NotFoundError(ValueError):
    """What was asked for is not there; its text is the answer."""


@dataclass(frozen=True, slots=True)
class Crm:
    """The tools, on one database file."""

    file: Path

    def find_customer(self, name: str) -> list[dict[str, Any]]:
        """Find customers whose name contains the words, with their contact and last visit."""
        query = (
            "select c.id, c.name, c.city, c.contact, max(v.day) as last_visit from customers c"
            " left join visits v on v.customer = c.id where c.name like ? escape '\\' group by c.id order by c.name"
        )
        return self._rows(query, [f"%{_plain(name)}%"])

    def open_offers(self, customer: int) -> list[dict[str, Any]]:
        """List a customer's open offers: number, title, amount in euros as text, due date."""
        self._customer(customer)
        rows = self._rows(
            "select number, title, cents, due from offers where customer = ? and state = 'open' order by due",
            [customer],
        )
        for row in rows:
            row["amount"] = f"{row.pop('cents') / 100:.2f}"
        return rows

    def log_visit(self, customer: int, day: str, note: str) -> dict[str, Any]:
        """Write a visit into the customer's history. `day`: ISO date."""
        self._customer(customer)
        date.fromisoformat(day)
        with closing(sqlite3.connect(self.file)) as db, db:
            values = (customer, day, note.strip()[:2000])
            made = db.execute("insert into visits (customer, day, note) values (?, ?, ?)", values)
        return {"visit": made.lastrowid}

    def _customer(self, customer: int) -> None:
        if not self._rows("select id from customers where id = ?", [customer]):
            raise NotFoundError(f"There is no customer {customer}.")

    def _rows(self, query: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.file)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(query, values)]


def _plain(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def open_crm(file: Path) -> Crm:
    """Return the CRM on a database, made and filled if it is not there."""
    if not file.exists():
        with closing(sqlite3.connect(file)) as db, db:
            db.executescript(_SCHEMA)
            db.executemany("insert into customers values (?, ?, ?, ?)", _CUSTOMERS)
            db.executemany("insert into offers values (?, ?, ?, ?, ?, ?)", _OFFERS)
            db.executemany("insert into visits values (?, ?, ?, ?)", _VISITS)
    return Crm(file)


def app_of(crm: Crm) -> Any:
    """Return the server as an ASGI app; its endpoint is `/mcp`."""
    server: MCPServer[Any] = MCPServer("Rowan CRM", version="1.0", log_level="WARNING")
    for tool in (crm.find_customer, crm.open_offers, crm.log_visit):
        server.add_tool(tool)
    return server.streamable_http_app()


def main(file: str, port: str = "0") -> None:
    """Serve until the process is ended."""
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
        config = uvicorn.Config(app_of(open_crm(Path(file))), log_level="warning", ws="none")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
