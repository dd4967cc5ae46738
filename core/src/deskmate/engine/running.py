"""DBOS in this process: started with what is ours, and calling back whoever is open. One at a time a process."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from deskmate.errors import DeskmateError, StorageFailed, UserError
from deskmate.ports.engines import BULK

if TYPE_CHECKING:
    from dbos import DBOS

NAME = "deskmate"
SCHEMA = "1"
"""DBOS only takes up what ran under the same version: ours is that of the arguments, not of the program."""
WORKFLOW = "item"


class Stopped(BaseException):
    """Ends an item's thread without an end in the database, as a crash would: it is taken up again.

    DBOS stores every `Exception` as the item's end, and this is none.
    """


class Carrier(Protocol):
    """Does what DBOS hands out."""

    def carry_out(self, key: str, arguments: Mapping[str, Any], priority: int) -> None:
        """Do one item's work. Called in a thread of DBOS. Raises Stopped for what is not done."""


_OPEN: dict[str, Carrier] = {}
"""What is open in this process: DBOS calls a plain function, which looks here."""


def _item(key: str, arguments: dict[str, Any], priority: int = BULK) -> None:
    """What DBOS runs, whatever the item is."""
    carrier = _OPEN.get("engine")
    if carrier is None:
        raise Stopped
    carrier.carry_out(key, arguments, priority)


def check_free() -> None:
    """Raise DeskmateError if an engine is open in this process."""
    if "engine" in _OPEN:
        raise DeskmateError("One engine is open in this process already.")


def the_item() -> Any:
    """Return the function that an item is put in the queue as."""
    return _item


def load_dbos() -> type[DBOS]:
    """Return DBOS. Raises UserError where it is not installed."""
    try:
        from dbos import DBOS  # noqa: PLC0415 - heavy, and an extra
    except ImportError as error:
        raise UserError(
            "Work on many documents needs the package dbos, which is not installed.",
            hint='pip install "deskmate[scale]"',
        ) from error
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    return DBOS


def prepare_file(database: Path) -> None:
    """Have a SQLite file that readers and writers share well. Raises StorageFailed."""
    try:
        with closing(sqlite3.connect(database)) as made:
            made.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error as error:
        raise StorageFailed(
            f"The queue {database} cannot be stored: {error}.",
            hint="Free some space or check the disk, then go on: deskmate table resume",
        ) from error


def launch(
    carrier: Carrier, url: str, *, executor: str, attempts: int, queues: Sequence[str] | None = None
) -> None:
    """Start DBOS on a database, with `carrier` open. `queues`: those that are listened to; None: all."""
    dbos = load_dbos()
    with no_cloud():
        dbos(
            config={
                "name": NAME,
                "system_database_url": url,
                "application_version": SCHEMA,
                "executor_id": executor,
                "enable_otlp": False,
                "log_level": "CRITICAL",
                "notification_listener_polling_interval_sec": 0.5,
            }
        )
        dbos.workflow(name=WORKFLOW, max_recovery_attempts=attempts)(_item)
        if queues is not None:
            dbos.listen_queues(queues)
        _OPEN["engine"] = carrier
        try:
            dbos.launch()
        except BaseException:
            _OPEN.pop("engine", None)
            raise


def end() -> None:
    """End DBOS in this process; what runs is taken up again by whoever has the same executor's name."""
    load_dbos().destroy(workflow_completion_timeout_sec=0)


def leave() -> None:
    """Have nothing open: items that DBOS still hands out are not done."""
    _OPEN.pop("engine", None)


@contextmanager
def no_cloud() -> Iterator[None]:
    """Keep the environment from turning DBOS into a client of its makers' service or from naming another executor."""
    named = {name: value for name, value in os.environ.items() if name.startswith("DBOS_")}
    for name in named:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(named)
