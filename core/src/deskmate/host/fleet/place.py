"""Where a pool lies: the address of its database, and the folder that all its hosts see."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deskmate.databases import ServerDatabase
from deskmate.errors import UserError
from deskmate.store.blobs import BlobStore, make_folder
from deskmate.tables.record import FILE, TableRecord, make_shared_table, make_table
from deskmate.types.ids import Digest
from deskmate.types.tables import TableAbout

if TYPE_CHECKING:
    from deskmate.engine.pool import SharedPool

MARK = "deskmate-pool"
_TABLE = "tb-"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlace:
    """`url`: `postgresql://…`, or `sqlite:////folder/pool.db` for the workers of one machine.

    `store`: a folder that all hosts of the pool see, under whatever path. It holds content; the database has the rest.
    """

    url: str
    store: Path

    @property
    def on_server(self) -> bool:
        """Say whether the database is a server's."""
        return not self.url.startswith("sqlite:")

    def blobs(self) -> BlobStore:
        """Return the pool's content."""
        return BlobStore(self.store / "blobs")

    def check(self, pool: SharedPool) -> None:
        """See that the folder is this pool's; the first who comes makes it so. Blocks. Raises UserError."""
        if not self.store.is_dir():
            raise UserError(
                f"The pool's folder {self.store} is not there.",
                hint="Mount the folder that the pool's other hosts have, or make it for a new pool.",
            )
        mark = self.store / MARK
        found = ""
        with suppress(FileNotFoundError):
            found = mark.read_text("utf-8").strip()
        # the folder first: an id whose mark is missing would shut everybody out
        own = found or self._marked(mark)
        if pool.roster.pool_id(own) != own:
            if not found:
                mark.unlink(missing_ok=True)
            raise UserError(
                f"The folder {self.store} is not that of this pool.",
                hint="Give the folder that the pool's other hosts have as --store.",
            )

    def _marked(self, mark: Path) -> str:
        """Mark the folder, unless another does so at this moment; return what the mark says."""
        part = mark.with_name(f".{MARK}-{secrets.token_hex(4)}")
        try:
            try:
                part.write_text(f"{secrets.token_hex(8)}\n", "utf-8")
                _place_once(part, mark)
            finally:
                part.unlink(missing_ok=True)
            return mark.read_text("utf-8").strip()
        except OSError as error:
            raise UserError(
                f"The pool's folder {self.store} cannot be written: {error.strerror}.",
                hint="Let the user that Deskmate runs as write there.",
            ) from error

    def make_table(
        self, about: TableAbout, paths: Sequence[str], contents: Mapping[str, Digest]
    ) -> None:
        """Make a table whole or not at all. `contents`: path → content. Raises StorageFailed."""
        if self.on_server:
            with self._database(about.id) as database:
                make_shared_table(database, about, paths, contents)
        else:
            make_folder(self._tables)
            make_table(self._tables / about.id, about, paths, contents)

    def open_table(self, table: str) -> TableRecord:
        """Open a table; whoever calls it closes it. Raises UserError."""
        missing = UserError(
            f"There is no table {table} in this pool.", hint="See: deskmate table list"
        )
        if not (table.startswith(_TABLE) and table.removeprefix(_TABLE).isalnum()):
            raise missing
        if not self.on_server:
            file = self._tables / table / FILE
            if not file.is_file():
                raise missing
            return TableRecord(file)
        database = ServerDatabase(self.url, table, f"table {table}")
        if not database.exists():
            database.close()
            raise missing
        return TableRecord(database)

    def tables(self) -> tuple[str, ...]:
        """Return the ids of all tables."""
        if not self.on_server:
            return tuple(file.parent.name for file in self._tables.glob(f"{_TABLE}*/{FILE}"))
        with self._database("public") as database:
            query = "select schema_name as name from information_schema.schemata where substr(schema_name, 1, 3) = ?"
            with database.begin() as db:  # a server that is away is told at once
                found = db.execute(query, (_TABLE,)).fetchall()
        return tuple(each["name"] for each in found)

    @property
    def _tables(self) -> Path:
        return self.store / "tables"

    @contextmanager
    def _database(self, schema: str) -> Iterator[ServerDatabase]:
        database = ServerDatabase(self.url, schema, f"table {schema}")
        try:
            yield database
        finally:
            database.close()


def _place_once(part: Path, mark: Path) -> None:
    """Give a file its name unless that is taken: whole or not at all."""
    try:
        mark.hardlink_to(part)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        with suppress(FileExistsError), mark.open("x", encoding="utf-8") as file:
            file.write(part.read_text("utf-8"))
