"""What a project gives its threads and takes back, and what a thread keeps for itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deskmate.errors import UserError
from deskmate.host import Host, RunOrder, RunResult
from deskmate.host.projects import set_thread_project
from deskmate.store.listing import summary_of
from deskmate.store.projects import Projects
from deskmate.store.thread import open_thread
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.events import Event, GrantsSet, PluginsSet, ProjectSet
from deskmate.types.files import Grant
from deskmate.types.ids import ThreadId
from deskmate.types.places import Places, find_places
from deskmate.types.projects import Project

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return find_places({"DESKMATE_HOME": str(tmp_path / "home")}, tmp_path)


@pytest.fixture
def projects(places: Places) -> Projects:
    return Projects(places.data)


@pytest.fixture
def deal(projects: Projects, tmp_path: Path) -> Project:
    (tmp_path / "deal").mkdir()
    (tmp_path / "deal/a.txt").write_text("a")
    grant = Grant(name="deal", folder=str(tmp_path / "deal"), mode="rw")
    return projects.new("Deal", instructions="Answer in rhyme.", grants=(grant,), plugins=("lab",))


class Nobody:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


class User:
    """Asks for things and keeps what the model was told."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.systems: list[str] = []
        self.told: list[str] = []

    async def run(self, order: RunOrder, thread: ThreadId | None, *script: Line) -> RunResult:
        model = ScriptedModel(script or ("Yes.",))
        sandbox = FakeSandbox({"lab": FakePlugin(), "own": FakePlugin()})
        host = Host(self.places, sandbox=sandbox, model=model)
        result = await host.run(
            order,
            thread,
            observer=lambda item: self.told.append(str(getattr(item, "text", ""))),
            approver=Nobody(),
        )
        self.systems.append("\n".join(model.requests[-1].system))
        return result

    async def log(self, thread: ThreadId) -> tuple[Event, ...]:
        async with open_thread(self.places.threads, thread, write=False) as store:
            return await store.events()

    async def folders(self, thread: ThreadId) -> dict[str, str]:
        found = [e.payload for e in await self.log(thread) if isinstance(e.payload, GrantsSet)]
        return {Path(grant.folder).name: grant.mode for grant in found[-1].grants} if found else {}

    async def plugins(self, thread: ThreadId) -> set[str]:
        found = [e.payload for e in await self.log(thread) if isinstance(e.payload, PluginsSet)]
        return set(found[-1].versions)


@pytest.fixture
def user(places: Places) -> User:
    return User(places)


def go(**more: object) -> RunOrder:
    return replace(RunOrder(text="Go"), **more)  # type: ignore[arg-type]


async def test_a_thread_has_what_its_project_holds_and_the_model_is_told(
    user: User, deal: Project
) -> None:
    done = await user.run(go(project="deal"), None)
    assert await user.folders(done.thread) == {"deal": "rw"}
    assert await user.plugins(done.thread) == {"lab"}
    assert "Answer in rhyme." in user.systems[-1]
    assert summary_of(user.places.threads / done.thread).project == deal.id
    records = [e for e in await user.log(done.thread) if isinstance(e.payload, ProjectSet)]
    await user.run(go(), done.thread)
    assert "Answer in rhyme." in user.systems[-1]
    again = [e for e in await user.log(done.thread) if isinstance(e.payload, ProjectSet)]
    assert again == records  # said once, as long as nothing changes


async def test_threads_follow_what_is_changed_at_their_next_run(
    user: User, deal: Project, projects: Projects, tmp_path: Path
) -> None:
    done = await user.run(go(project="deal"), None)
    (tmp_path / "more").mkdir()
    more = Grant(name="more", folder=str(tmp_path / "more"), mode="ro")
    narrower = tuple(replace(grant, mode="ro") for grant in deal.grants)
    projects.save(
        replace(deal, grants=(*narrower, more), plugins=(), instructions="Answer in prose.")
    )
    await user.run(go(), done.thread)
    assert await user.folders(done.thread) == {"deal": "ro", "more": "ro"}
    assert await user.plugins(done.thread) == set()
    assert "Answer in prose." in user.systems[-1]
    assert "rhyme" not in user.systems[-1]
    projects.save(replace(deal, grants=(more,), plugins=()))
    await user.run(go(), done.thread)
    assert await user.folders(done.thread) == {"more": "ro"}


async def test_what_the_user_gave_the_thread_itself_is_neither_widened_nor_taken(
    user: User, deal: Project, projects: Projects, tmp_path: Path
) -> None:
    own = replace(deal.grants[0], mode="ro")
    done = await user.run(go(grants=(own,), plugins=("lab", "own")), None)
    await user.run(go(project="deal"), done.thread)
    await user.run(go(), done.thread)
    assert await user.folders(done.thread) == {"deal": "ro"}
    projects.save(replace(deal, grants=(), plugins=()))
    await user.run(go(), done.thread)
    assert await user.folders(done.thread) == {"deal": "ro"}
    assert await user.plugins(done.thread) == {"lab", "own"}


async def test_a_mode_that_the_user_narrowed_in_the_thread_stays(user: User, deal: Project) -> None:
    done = await user.run(go(project="deal"), None)
    await user.run(go(grants=(replace(deal.grants[0], mode="ro"),)), done.thread)
    await user.run(go(), done.thread)
    assert await user.folders(done.thread) == {"deal": "ro"}


async def test_no_folder_goes_while_changes_in_it_wait(
    user: User, deal: Project, projects: Projects
) -> None:
    write: Line = (("workspace__write", {"path": "deal/b.txt", "content": "b"}),)
    done = await user.run(go(project="deal"), None, write, "Done.")
    assert done.staged
    projects.save(replace(deal, grants=()))
    await user.run(go(), done.thread, "", "", "Yes.")
    assert await user.folders(done.thread) == {"deal": "rw"}


async def test_out_of_the_project_nothing_of_it_is_left(user: User, deal: Project) -> None:
    done = await user.run(go(project="deal"), None)
    await set_thread_project(user.places, done.thread, "")
    assert summary_of(user.places.threads / done.thread).project == ""
    await user.run(go(), done.thread)
    assert await user.folders(done.thread) == {}
    assert await user.plugins(done.thread) == set()
    assert "rhyme" not in user.systems[-1]
    await set_thread_project(user.places, done.thread, deal.id)
    await user.run(go(), done.thread)
    assert await user.folders(done.thread) == {"deal": "rw"}


async def test_a_project_that_is_gone_leaves_its_threads_as_they_are_and_says_so(
    user: User, deal: Project, projects: Projects
) -> None:
    done = await user.run(go(project="deal"), None)
    projects.delete(deal)
    assert (await user.run(go(), done.thread)).reason == "done"
    assert await user.folders(done.thread) == {"deal": "rw"}
    assert any("project Deal is not here" in line for line in user.told)


async def test_a_project_that_is_not_there_makes_no_thread(user: User) -> None:
    with pytest.raises(UserError, match="no project"):
        await user.run(go(project="nothing"), None)
    assert not list(user.places.threads.glob("t-*"))


async def test_folders_of_one_name_in_project_and_request_get_along(
    user: User, deal: Project, tmp_path: Path
) -> None:
    (tmp_path / "x/deal").mkdir(parents=True)
    other = Grant(name="deal", folder=str(tmp_path / "x/deal"), mode="ro")
    done = await user.run(go(project="deal", grants=(other,)), None)
    found = [e.payload for e in await user.log(done.thread) if isinstance(e.payload, GrantsSet)]
    assert sorted(grant.name for grant in found[-1].grants) == ["deal", "deal-2"]
