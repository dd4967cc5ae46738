"""The catalogue of all threads: their summaries and a full-text index, rebuilt from the logs whenever it is gone."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.errors import CorruptData, DeskmateError, UserError
from deskmate.ports import BlobReader
from deskmate.store import schema
from deskmate.store.blobs import BlobStore
from deskmate.store.listing import ThreadSummary, list_threads, running_state, summary_of
from deskmate.types.codec import from_json, to_json
from deskmate.types.ids import Digest, ThreadId

FILE = "catalogue.db"
_VERSION = 3
_BUSY_S = 10.0
_TEXT_LIMIT = 200_000
"""Characters of one event that are indexed; what is longer stays in the log."""
_WORD = re.compile(r"\w+", re.UNICODE)
_HITS_PER_THREAD = 3
_CANDIDATES = 4
"""So many hits a wanted one are looked at: several may be in one thread."""
_TEXTS = (
    "ThreadRenamed",
    "UserSaid",
    "ModelReplied",
    "ToolFinished",
    "ChangesStaged",
    "RunFinished",
    "GrantsSet",
    "TextTaken",
)
_SCHEMA = """
create table threads (thread text primary key, stamp text not null, seq integer not null,
  changed text not null, summary text not null) strict;
create table places (id integer primary key, thread text not null, seq integer not null,
  kind text not null) strict;
create index places_thread on places (thread);
create virtual table texts using fts5 (text, tokenize = "unicode61 remove_diacritics 2", prefix = "2 3");
"""
"""A text's row has the number of its place: what is found is then known without reading whole texts."""
_SEARCH = """
select thread, seq, kind, case when is_wanted(thread) then snippet(texts, 0, '⟦', '⟧', '…', 16) end
from texts cross join places on places.id = texts.rowid
where texts match ? order by texts.rank limit ?
"""
"""One pass over the matches, best first; a snippet takes its time and is made for what is shown only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A place where words were found. `snippet`: some words around them, the found ones in ⟦ ⟧."""

    thread: ThreadId
    title: str
    changed: str
    seq: int
    kind: str
    snippet: str


class Catalogue:
    """Over `<data>/catalogue.db`. Removing that file loses nothing. Names of changed files are in blobs."""

    def __init__(self, data: Path, threads: Path) -> None:
        """`threads`: the folder of the logs, which are the truth."""
        self._path = data / FILE
        self._threads = threads
        self._blobs = BlobStore(data / "blobs")

    def summaries(self) -> tuple[ThreadSummary, ...]:
        """Return all threads, those that changed last first; a damaged one is in the list, as such.

        Where the catalogue cannot be written the logs are read themselves, which takes longer.
        """
        if not self._threads.is_dir():
            return ()
        try:
            with self._opened() as db:
                rows = db.execute("select summary from threads order by changed desc").fetchall()
        except (OSError, DeskmateError):
            return list_threads(self._threads)
        found = (from_json(ThreadSummary, json.loads(text)) for (text,) in rows)
        return tuple(running_state(summary, self._threads) for summary in found)

    def search(self, words: str, *, limit: int = 20) -> tuple[Hit, ...]:
        """Return the best places of at most `limit` threads: all words, the last one may be a beginning.

        Raises UserError if there is no word to search for.
        """
        query = match_of(words)
        if not self._threads.is_dir():
            return ()
        with self._opened() as db:
            wanted = _Wanted(limit)
            db.create_function("is_wanted", 1, wanted)
            rows = db.execute(_SEARCH, (query, limit * _HITS_PER_THREAD * _CANDIDATES)).fetchall()
            about = {
                thread: json.loads(text)
                for thread in wanted.hits
                for (text,) in db.execute("select summary from threads where thread = ?", (thread,))
            }
        order = {thread: place for place, thread in enumerate(wanted.hits)}
        best = sorted((row for row in rows if row[3] is not None), key=lambda row: order[row[0]])
        return tuple(_hit(row, about.get(row[0], {})) for row in best)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Yield the catalogue, brought up to the logs; a damaged one is made anew."""
        for attempt in (1, 2):
            try:
                db = self._open()
            except sqlite3.OperationalError as error:
                raise _unusable(error, self._path) from error
            except sqlite3.DatabaseError:
                self._remove()
                db = self._open()
            try:
                self._refresh(db)
                yield db
                return
            except sqlite3.OperationalError as error:
                raise _unusable(error, self._path) from error
            except sqlite3.DatabaseError as error:
                if attempt == 2:
                    raise _unusable(error, self._path) from error
                self._remove()
            finally:
                db.close()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        try:
            db.execute("pragma journal_mode=wal")
            db.execute("pragma synchronous=normal")
            if db.execute("pragma user_version").fetchone()[0] != _VERSION:
                db.close()
                self._remove()
                db = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
                db.execute("pragma journal_mode=wal")
                db.executescript(f"begin; {_SCHEMA} pragma user_version={_VERSION}; commit;")
            self._path.chmod(0o600)
        except BaseException:
            db.close()
            raise
        return db

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(FILE + ending).unlink(missing_ok=True)

    def _refresh(self, db: sqlite3.Connection) -> None:
        """Read the logs that changed since they were read last."""
        stamps = dict(_stamps(self._threads))
        known = {
            thread: (stamp, seq)
            for thread, stamp, seq in db.execute("select thread, stamp, seq from threads")
        }
        gone = [thread for thread in known if thread not in stamps]
        stale = [thread for thread, stamp in stamps.items() if known.get(thread, ("",))[0] != stamp]
        if not gone and not stale:
            return
        db.execute("begin immediate")
        try:
            for thread in gone:
                _forget(db, thread)
            for thread in stale:
                after = known.get(thread, ("", 0))[1]
                _take(db, self._threads / thread, self._blobs, stamps[thread], after)
            db.execute("commit")
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("rollback")
            raise


def match_of(words: str) -> str:
    """Return a full-text query: every word must occur; "…" is a phrase; the last word may go on.

    Raises UserError if there is no word in it.
    """
    parts: list[str] = []
    for phrase, rest in re.findall(r'"([^"]*)"|([^"]+)', words):
        found = _WORD.findall(phrase or rest)
        parts += [" ".join(found)] if phrase and found else found
    if not parts:
        raise UserError("There is no word to search for.", hint="deskmate thread search indemnity")
    ends_open = not words.rstrip().endswith('"')
    return " ".join(f'"{part}"' for part in parts) + ("*" if ends_open else "")


def _stamps(threads: Path) -> Iterator[tuple[str, str]]:
    """Yield thread → what changes when its log does."""
    try:
        entries = list(os.scandir(threads))
    except FileNotFoundError:
        return
    for entry in entries:
        if not entry.name.startswith("t-"):
            continue
        stamp = ""
        for ending in ("", "-wal"):
            try:
                about = os.stat(f"{entry.path}/{schema.FILE}{ending}")  # noqa: PTH116 - a Path a thread costs more than the call
            except OSError:
                continue
            # a reader leaves an empty write-ahead log behind: that is no change
            if about.st_size:
                stamp += f"{about.st_ino}.{about.st_size}.{about.st_mtime_ns} "
        if stamp:
            yield entry.name, stamp


def _forget(db: sqlite3.Connection, thread: str) -> None:
    db.execute("delete from threads where thread = ?", (thread,))
    db.execute(
        "delete from texts where rowid in (select id from places where thread = ?)", (thread,)
    )
    db.execute("delete from places where thread = ?", (thread,))


def _take(db: sqlite3.Connection, folder: Path, blobs: BlobReader, stamp: str, after: int) -> None:
    """Bring one thread's rows up to its log. `after`: the last event that is indexed."""
    summary = summary_of(folder)
    if summary.events < after:  # another log came in its place
        _forget(db, folder.name)
        after = 0
    for seq, kind, text in [] if summary.problem else _texts(folder, blobs, after):
        place = db.execute(
            "insert into places (thread, seq, kind) values (?, ?, ?)", (folder.name, seq, kind)
        )
        db.execute("insert into texts (rowid, text) values (?, ?)", (place.lastrowid, text))
    db.execute(
        "insert or replace into threads values (?, ?, ?, ?, ?)",
        (folder.name, stamp, summary.events, summary.changed, json.dumps(to_json(summary))),
    )


def _texts(folder: Path, blobs: BlobReader, after: int) -> list[tuple[int, str, str]]:
    try:
        log = schema.open_database(folder, write=False)
    except DeskmateError:
        return []
    try:
        marks = ", ".join("?" for _ in _TEXTS)
        found = log.execute(
            f"select seq, kind, payload from events where seq > ? and kind in ({marks})",  # noqa: S608 - question marks only
            (after, *_TEXTS),
        ).fetchall()
    except sqlite3.Error:
        return []
    finally:
        log.close()
    rows = []
    for seq, kind, payload in found:
        with suppress(ValueError):
            data = json.loads(payload)
            words = [*_words(data), *_held(kind, data, blobs)]
            text = "\n".join(words)[:_TEXT_LIMIT].strip()
            if text:
                rows.append((seq, kind, text))
    return rows


def _words(value: Any, name: str = "") -> Iterator[str]:
    """Yield what people wrote or read in a payload: texts, and the names of files."""
    if isinstance(value, str):
        if name in ("text", "path", "title"):
            yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _words(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from _words(part, name)


def _held(kind: str, data: Mapping[str, Any], blobs: BlobReader) -> Iterator[str]:
    """Yield what people would look for in the blob that an event names."""
    if kind == "ChangesStaged":
        yield from _paths(data, blobs)
    elif kind == "TextTaken":
        with suppress(CorruptData, KeyError, TypeError):
            yield blobs.read(Digest(str(data["words"]))).decode("utf-8", "replace")


def _paths(staged: Mapping[str, Any], blobs: BlobReader) -> Iterator[str]:
    """Yield the names of the files that a change set changes; none where its list is lost."""
    try:
        changes = json.loads(blobs.read(Digest(str(staged["difference"]))))["changes"]
        yield from (str(change["path"]) for change in changes)
    except (CorruptData, ValueError, TypeError, KeyError):
        return


class _Wanted:
    """Decides over hits as they come, best first: the first threads, and a few hits of each."""

    def __init__(self, threads: int) -> None:
        """`threads`: how many at most."""
        self.hits: Counter[str] = Counter()
        self._threads = threads

    def __call__(self, thread: str) -> bool:
        if thread not in self.hits and len(self.hits) >= self._threads:
            return False
        self.hits[thread] += 1
        return self.hits[thread] <= _HITS_PER_THREAD


def _hit(row: tuple[str, int, str, str], summary: Mapping[str, Any]) -> Hit:
    thread, seq, kind, snippet = row
    return Hit(
        thread=ThreadId(thread),
        title=str(summary.get("title", "")),
        changed=str(summary.get("changed", "")),
        seq=seq,
        kind=kind,
        snippet=" ".join(snippet.split()),
    )


def _unusable(error: sqlite3.Error, path: Path) -> DeskmateError:
    if "full" in str(error):
        return DeskmateError(
            f"The disk is full: {path} cannot be written; no thread is harmed.",
            hint="Free some space and try again.",
        )
    return CorruptData(f"{path} cannot be used: {error}.", hint="Remove it; it is made anew.")
