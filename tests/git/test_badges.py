"""The git fields of sessions whose folders are strange, far away or slow: the other sessions keep theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import DEADLINE_S, until
from repositories import repository, write
from tornado.ioloop import IOLoop

from vibetunnel.git.messages import Summary
from vibetunnel.git.roots import perhaps_in_repository
from vibetunnel.git.service import GitService
from vibetunnel.sessions import badges
from vibetunnel.sessions.badges import Badges


class Told(dict[str, Summary | None]):
    """Session -> what was told of it last, and the badges that tell it."""

    def __init__(self, service: GitService) -> None:
        super().__init__()
        self.badges = Badges(service, self.__setitem__)


@pytest.fixture
def told(io_loop: IOLoop, service: GitService) -> Iterator[Told]:
    async def made() -> Told:
        return Told(service)

    found: Told = io_loop.run_sync(made)
    yield found
    io_loop.run_sync(found.badges.close)


def test_a_chain_of_a_thousand_links_is_in_no_repository(folder: Path) -> None:
    (folder / "0").mkdir()
    for number in range(1, 1100):
        (folder / str(number)).symlink_to(str(number - 1))
    assert not perhaps_in_repository(str(folder / "1099"))
    assert not perhaps_in_repository("\0")


async def test_a_fault_in_one_folder_leaves_the_next_one_its_fields(
    told: Told, folder: Path, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    """CWE-248: a program prints which folder the session is in."""
    expect_log("the git fields of the sessions in one folder are not renewed")
    made = repository(folder / "r", a="1")
    look = badges.FirstLook.look

    async def failing(self: badges.FirstLook, path: str) -> bool:
        if path.endswith("strange"):
            raise RuntimeError("no program expects this")
        return await look(self, path)

    monkeypatch.setattr(badges.FirstLook, "look", failing)
    told.badges.place("first", str(folder / "strange"))
    told.badges.place("second", str(made))
    await until(lambda: told.get("second"))
    told.badges.drop("second")
    told.badges.place("third", str(made))
    await until(lambda: told.get("third"))
    assert "first" not in told


async def test_a_folder_outside_of_the_permitted_ones_is_not_touched(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWE-400: what a program prints is any path, one of a network that is gone for example."""
    looked: list[str] = []
    monkeypatch.setattr(badges, "perhaps_in_repository", looked.append)
    told.badges.place("first", "/net/gone")
    told.badges.place("second", "/net/../etc")
    await until(lambda: len(told) == 2)
    assert told == {"first": None, "second": None}
    assert looked == []


async def test_a_folder_that_does_not_answer_holds_up_no_other_one(
    told: Told, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, freed = repository(folder / "r", a="1"), threading.Event()

    def slow(path: str) -> bool:
        if path.endswith("gone"):
            freed.wait()
        return perhaps_in_repository(path)

    monkeypatch.setattr(badges, "perhaps_in_repository", slow)
    monkeypatch.setattr(badges, "FIRST_S", 0.05)
    try:
        for number in range(2 * badges.AT_ONCE):
            told.badges.place(f"gone {number}", str(folder / str(number) / "gone"))
        told.badges.place("here", str(made))
        await until(lambda: told.get("here"))
    finally:
        freed.set()


async def test_a_new_sessions_folder_is_waited_for_but_not_for_long(
    told: Told, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, freed = repository(folder / "r", a="1"), threading.Event()

    def slow(path: str) -> bool:
        if path.endswith("gone"):
            freed.wait()
        return perhaps_in_repository(path)

    monkeypatch.setattr(badges, "perhaps_in_repository", slow)
    monkeypatch.setattr(badges, "SOON_S", 0.05)
    try:
        told.badges.place("gone", str(folder / "gone"))
        await told.badges.known_soon("gone")
        assert "gone" not in told
        monkeypatch.setattr(badges, "SOON_S", DEADLINE_S)
        told.badges.place("here", str(made))
        await told.badges.known_soon("here")
        assert told["here"] is not None
    finally:
        freed.set()


async def test_the_names_of_changed_files_are_not_kept(told: Told, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    write(made, a="2", new="1")
    told.badges.place("first", str(made))
    found = await until(lambda: told.get("first"))
    assert (found.modified, found.untracked) == (1, 1)
    assert (found.unstaged_files, found.untracked_files) == ([], [])
