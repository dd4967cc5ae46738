from __future__ import annotations

from pathlib import Path

import pytest

from deskmate.errors import UserError
from deskmate.store.blobs import BlobStore
from deskmate.store.making import create_thread
from deskmate.store.synced import ALLOW_FILE, sync_service
from deskmate.store.thread import open_thread
from deskmate.types.events import ThreadRenamed

NAMED = [
    ("Dropbox/desk", "Dropbox"),
    ("Dropbox (Acme)/desk", "Dropbox"),
    ("OneDrive/desk", "OneDrive"),
    ("OneDrive - Contoso/deep/down/desk", "OneDrive"),
    ("Library/CloudStorage/OneDrive-Personal/desk", "OneDrive"),
    ("Library/CloudStorage/Other/desk", "a cloud drive"),
    ("Library/Mobile Documents/com~apple~CloudDocs/desk", "iCloud"),
    ("Google Drive/My Drive/desk", "Google Drive"),
    ("Nextcloud/desk", "Nextcloud"),
]
MARKED = [
    (".dropbox", "Dropbox"),
    (".dropbox.cache/x", "Dropbox"),
    (".stfolder/x", "Syncthing"),
    (".tmp.drivedownload/x", "Google Drive"),
    (".849C9593-D756-4E56-8D6E-42412F2A707B", "OneDrive"),
    (".sync/ID", "Resilio Sync"),
]


@pytest.mark.parametrize(("path", "service"), NAMED)
def test_a_service_is_known_by_the_name_of_its_folder(
    tmp_path: Path, path: str, service: str
) -> None:
    found = sync_service(tmp_path / path)
    assert found is not None
    assert found[0] == service


@pytest.mark.parametrize(("mark", "service"), MARKED)
def test_a_service_is_known_by_what_it_leaves_in_its_folder(
    tmp_path: Path, mark: str, service: str
) -> None:
    file = tmp_path / "mine" / mark
    file.parent.mkdir(parents=True)
    file.write_text("")
    assert sync_service(tmp_path / "mine/deep/desk") == (service, tmp_path / "mine")
    assert sync_service(tmp_path / "other") is None


def test_names_that_only_look_alike_are_no_service(tmp_path: Path) -> None:
    for name in ("Dropbox-notes", "my dropbox", "OneDriver", "google", "library"):
        assert sync_service(tmp_path / name / "desk") is None
    (tmp_path / ".dropbox").mkdir()  # settings of the client, in a home folder
    assert sync_service(tmp_path / "desk") is None


def test_a_link_does_not_hide_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "Dropbox/desk").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "Dropbox/desk")
    assert sync_service(tmp_path / "link/data") == ("Dropbox", tmp_path / "Dropbox")


@pytest.mark.anyio
async def test_no_thread_is_made_or_written_in_such_a_folder_unless_its_owner_says_so(
    tmp_path: Path,
) -> None:
    threads = tmp_path / "Dropbox/desk/data/threads"
    with pytest.raises(UserError, match="Dropbox rewrites") as refused:
        await create_thread(threads, "T", version="1")
    assert ALLOW_FILE in refused.value.hint
    assert not threads.exists()
    threads.parent.mkdir(parents=True)
    (threads.parent / ALLOW_FILE).touch()
    thread = await create_thread(threads, "T", version="1")
    async with open_thread(threads, thread) as store:
        await store.append(ThreadRenamed(title="Named"))
    (threads.parent / ALLOW_FILE).unlink()
    with pytest.raises(UserError, match="Dropbox rewrites"):
        async with open_thread(threads, thread):
            pass
    async with open_thread(threads, thread, write=False) as store:  # so that it can be exported
        assert len(await store.events()) == 2
    BlobStore(threads.parent / "blobs").put(b"content by digest is no database")
