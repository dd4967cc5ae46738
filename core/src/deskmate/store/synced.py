"""Folders that a sync service rewrites from outside: no place for databases that are written now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from deskmate.errors import UserError

ALLOW_FILE = ".allow-synced-folder"
"""Empty file in the data folder by which its owner accepts the risk."""
_NAMES = {
    "Dropbox": "Dropbox",
    "OneDrive": "OneDrive",
    "Google Drive": "Google Drive",
    "GoogleDrive": "Google Drive",
    "iCloud Drive": "iCloud",
    "iCloudDrive": "iCloud",
    "com~apple~CloudDocs": "iCloud",
    "Nextcloud": "Nextcloud",
    "ownCloud": "ownCloud",
    "pCloudDrive": "pCloud",
    "Box Sync": "Box",
    "MEGAsync": "MEGA",
}
"""Name of a folder, as the service itself makes it → the service."""
_BEGINNINGS = {
    "OneDrive - ": "OneDrive",
    "OneDrive-": "OneDrive",
    "Dropbox (": "Dropbox",
    "GoogleDrive-": "Google Drive",
    "iCloud~": "iCloud",
}
_MARKS = {
    ".dropbox.cache": "Dropbox",
    ".stfolder": "Syncthing",
    ".stversions": "Syncthing",
    ".849C9593-D756-4E56-8D6E-42412F2A707B": "OneDrive",
    ".tmp.drivedownload": "Google Drive",
    ".tmp.driveupload": "Google Drive",
    ".nextcloudsync.log": "Nextcloud",
    ".owncloudsync.log": "ownCloud",
    ".sync/ID": "Resilio Sync",
}
"""What a service puts into the folder it keeps in step → the service."""
_FILE_MARKS = {".dropbox": "Dropbox"}
"""Marks as files only: in a home folder Dropbox keeps its settings in a folder of that name."""
_PLACES = {("Library", "Mobile Documents"): "iCloud", ("Library", "CloudStorage"): "a cloud drive"}


def sync_service(folder: Path) -> tuple[str, Path] | None:
    """Return the service that keeps this folder, or one above it, in step, and that folder; None: none known.

    The folder need not exist. Links are looked at as they are named and where they lead.
    """
    for path in dict.fromkeys((folder.absolute(), Path(os.path.realpath(folder)))):
        for above in (path, *path.parents):
            if service := next(_services(above), ""):
                return service, above
    return None


def check_not_synced(threads: Path) -> None:
    """Raise UserError where threads would lie in a folder that a sync service rewrites.

    Two machines' halves of a database and its log, brought together by such a service, are no database.
    """
    found = sync_service(threads)
    if found is None or (threads.parent / ALLOW_FILE).exists():
        return
    service, where = found
    raise UserError(
        f"Threads cannot be kept in {threads}: {service} rewrites {where}, and that destroys databases.",
        hint="Set DESKMATE_HOME to a folder outside, and take your threads there with deskmate thread "
        f"export --all; or accept the risk: touch '{threads.parent / ALLOW_FILE}'",
    )


def _services(folder: Path) -> Iterator[str]:
    name = folder.name
    if name in _NAMES:
        yield _NAMES[name]
    for beginning, service in _BEGINNINGS.items():
        if name.startswith(beginning):
            yield service
    if service := _PLACES.get((folder.parent.name, name), ""):
        yield service
    base = str(folder)
    for mark, service in _MARKS.items():
        if os.path.lexists(f"{base}/{mark}"):
            yield service
    for mark, service in _FILE_MARKS.items():
        if os.path.isfile(f"{base}/{mark}"):  # noqa: PTH113 - a Path a mark costs more than the call
            yield service
