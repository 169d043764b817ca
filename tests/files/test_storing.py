"""New files: complete or not there, and never in the place of another."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from vibetunnel.errors import LimitReached
from vibetunnel.files import storing
from vibetunnel.files.errors import (
    FileTooLarge,
    NameTaken,
    NoRoomLeft,
    NoSuchFile,
    NotAllowed,
    OutsideRoots,
    UnknownUpload,
    UploadInUse,
    WrongKind,
    WrongName,
    WrongOffset,
)
from vibetunnel.files.roots import Roots
from vibetunnel.files.storing import Draft
from vibetunnel.files.uploads import IDLE_S, KEPT_SIZE, LIMIT, OF_ONE, PasteFolder, Uploads
from vibetunnel.files.walk import MAX_DEPTH


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots([bytes(tmp_path)], list, bytes(tmp_path))


@pytest.fixture(params=["unnamed", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """On systems with O_TMPFILE, and as on those without."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE")


def draft(roots: Roots, contents: bytes = b"new") -> Draft:
    made = storing.draft_in(roots, roots.place("."), 1000)
    made.write(contents)
    return made


@pytest.mark.usefixtures("way")
def test_a_draft_has_no_name_until_it_is_published(roots: Roots, tmp_path: Path) -> None:
    made = draft(roots)
    assert [each for each in os.listdir(tmp_path) if not each.startswith(".")] == []
    assert made.publish(["a"]) == "a"
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.usefixtures("way")
def test_a_draft_takes_no_name_that_is_taken(roots: Roots, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a (2)").symlink_to("nowhere")
    assert draft(roots).publish(storing.choices("a")) == "a (3)"
    with pytest.raises(NameTaken, match="'a'"):
        draft(roots).publish(["a"])
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["a", "a (2)", "a (3)"]


@pytest.mark.usefixtures("way")
def test_a_discarded_draft_leaves_nothing(roots: Roots, tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    made = draft(roots)
    with pytest.raises(FileTooLarge, match="--upload-bytes"):
        made.write(bytes(1000))
    made.discard()
    made.discard()
    assert os.listdir(tmp_path) == []
    assert len(os.listdir("/dev/fd")) == before


@pytest.fixture
def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on vfat."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.delattr(os, "O_TMPFILE")
    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("without_links")
def test_a_draft_is_published_on_a_file_system_without_hard_links(roots: Roots, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    assert draft(roots).publish(storing.choices("a")) == "a (2)"
    with pytest.raises(NameTaken, match="'a'"):
        draft(roots).publish(["a"])
    assert {each: (tmp_path / each).read_text() for each in os.listdir(tmp_path)} == {"a": "old", "a (2)": "new"}


def test_uploads_leave_room_on_the_disk(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = os.statvfs("/")
    block = seen.f_frsize
    nearly_full = os.statvfs_result((block, block, 1000, 100, 50, *tuple(seen)[5:10]))
    monkeypatch.setattr(os, "statvfs", lambda _: nearly_full)
    made = storing.draft_in(roots, roots.place("."), 1000)
    with pytest.raises(NoRoomLeft, match="almost full"):
        made.write(b"x")
    made.discard()


def test_pasted_files_together_are_bounded_and_the_oldest_go(tmp_path: Path) -> None:
    folder = PasteFolder(tmp_path / "uploads", 10)
    for number in range(KEPT_SIZE + 3):
        made = folder.draft()
        made.write(b"0123456789")
        name = made.publish([str(number)])
        os.utime(tmp_path / "uploads" / name, (number, number))
        folder.make_room(name)
    assert [each.name for each in folder.list()] == [str(number) for number in range(KEPT_SIZE + 2, 2, -1)]


def test_a_private_file_is_neither_read_nor_removed(tmp_path: Path) -> None:
    key = tmp_path / "folder" / "key.pem"
    key.parent.mkdir()
    key.write_text("secret")
    (tmp_path / "same").hardlink_to(key)
    roots = Roots([bytes(tmp_path)], lambda: [bytes(key)], bytes(tmp_path))
    for path in ("folder/key.pem", "same"):
        with pytest.raises(OutsideRoots):
            roots.open(roots.place(path))
        with pytest.raises(OutsideRoots):
            storing.remove(roots, roots.place(path), recursive=False)
    with pytest.raises(OutsideRoots):
        storing.remove(roots, roots.place("folder"), recursive=True)
    assert key.read_text() == "secret"


def test_a_folder_that_becomes_a_link_before_its_removal_is_not_entered(
    roots: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep" / "a").touch()
    (tmp_path / "gone").mkdir()
    inspect = os.stat

    def exchange(path: object, **options: object) -> os.stat_result:
        found: os.stat_result = inspect(path, **options)  # type: ignore[call-overload]
        if path == b"gone" and not (tmp_path / "gone").is_symlink():
            (tmp_path / "gone").rmdir()
            (tmp_path / "gone").symlink_to("keep")
        return found

    monkeypatch.setattr(os, "stat", exchange)
    with pytest.raises((WrongName, NoSuchFile)):
        storing.remove(roots, roots.place("gone"), recursive=True)
    assert os.listdir(tmp_path / "keep") == ["a"]


def test_a_removal_of_very_deep_folders_is_refused(roots: Roots, tmp_path: Path) -> None:
    (tmp_path / "/".join(["d"] * (MAX_DEPTH + 1))).mkdir(parents=True)
    with pytest.raises(FileTooLarge, match="inside each other"):
        storing.remove(roots, roots.place("d"), recursive=True)
    inner = "/".join(["d"] * 60)
    storing.remove(roots, roots.place(inner), recursive=True)
    storing.remove(roots, roots.place("d"), recursive=True)
    assert os.listdir(tmp_path) == []


def test_a_removal_goes_no_further_than_the_folder(roots: Roots, tmp_path: Path) -> None:
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep" / "a").touch()
    (tmp_path / "gone" / "deep").mkdir(parents=True)
    (tmp_path / "gone" / "deep" / "link").symlink_to(tmp_path / "keep")
    os.mkfifo(tmp_path / "gone" / "fifo")
    with pytest.raises(WrongKind, match="recursive"):
        storing.remove(roots, roots.place("gone"), recursive=False)
    storing.remove(roots, roots.place("gone"), recursive=True)
    assert os.listdir(tmp_path) == ["keep"]
    assert os.listdir(tmp_path / "keep") == ["a"]
    with pytest.raises(NotAllowed, match="root"):
        storing.remove(roots, roots.place("."), recursive=True)


def test_uploads_are_bounded_and_given_up_without_progress(roots: Roots) -> None:
    now = [0.0]
    uploads = Uploads(1000, lambda: now[0])

    def begin(owner: str) -> str:
        uploads.check(owner, 10)
        return uploads.add(draft(roots, b""), roots.place("."), "a", 10, owner).id

    with pytest.raises(FileTooLarge):
        uploads.check("ada", 1001)
    ids = [begin("ada") for _ in range(OF_ONE)]
    with pytest.raises(LimitReached):
        begin("ada")
    for number in range(LIMIT - OF_ONE):
        begin(f"user{number}")
    with pytest.raises(LimitReached):
        begin("bob")
    with pytest.raises(UnknownUpload):
        uploads.get(ids[0], "bob")
    with pytest.raises(WrongOffset, match="expected 0"):
        uploads.take(ids[0], "ada", 5)
    taken = uploads.take(ids[0], "ada", 0)
    with pytest.raises(UploadInUse):
        uploads.take(ids[0], "ada", 0)
    now[0] += IDLE_S + 1
    given_up = uploads.given_up()
    assert len(given_up) == LIMIT - 1
    assert uploads.get(ids[0], "ada") is taken
    for each in (*given_up, *uploads.all()):
        each.discard()
    assert len(uploads) == 0
