"""The roots and the walk below them, on a real file system."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from vibetunnel.errors import VibeTunnelError
from vibetunnel.files.errors import NoSuchFile, OutsideRoots, WrongKind, WrongName
from vibetunnel.files.roots import Roots, kernel_devices
from vibetunnel.files.walk import MAX_DEPTH, MAX_LINKS


def make(*folders: Path, private: Iterable[Path] = ()) -> Roots:
    return Roots([bytes(each) for each in folders], lambda: [bytes(each) for each in private], bytes(folders[0]))


def read(roots: Roots, path: str) -> str:
    with roots.file(roots.place(path)) as file:
        return os.pread(file, 1000, 0).decode()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path in ("one/a.txt", "one/sub/b.txt", "two/c.txt", "one-more/d.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return tmp_path


def test_relative_paths_begin_at_the_first_root_and_others_are_absolute(tree: Path) -> None:
    roots = make(tree / "one", tree / "two")
    for path in ("a.txt", "./sub/../a.txt", f"{tree}/one/a.txt", "~/a.txt"):
        assert read(roots, path) == "one/a.txt"
        assert roots.shown(roots.place(path)) == "a.txt"
    other = roots.place(f"{tree}/two/c.txt")
    assert roots.shown(other) == f"{tree}/two/c.txt"
    assert read(roots, roots.shown(other)) == "two/c.txt"
    assert roots.shown(roots.place("~")) == "."


def test_a_folder_whose_name_begins_like_a_root_is_outside(tree: Path) -> None:
    with pytest.raises(OutsideRoots, match=r"expected one below .*one \(--file-root\)"):
        make(tree / "one").place(f"{tree}/one-more/d.txt")


def test_the_nearest_root_counts_if_one_is_inside_another(tree: Path) -> None:
    roots = make(tree, tree / "one")
    assert roots.place(f"{tree}/one/a.txt").root.path == bytes(tree / "one")


def test_a_root_that_is_a_link_is_known_by_both_names(tree: Path) -> None:
    (tree / "name").symlink_to("one")
    roots = make(tree / "name")
    for path in (f"{tree}/name/a.txt", f"{tree}/one/a.txt", "a.txt"):
        assert read(roots, path) == "one/a.txt"
    (tree / "one" / "absolute").symlink_to(tree / "one" / "sub")
    assert read(roots, "absolute/b.txt") == "one/sub/b.txt"


def test_dots_in_a_link_go_back_the_way_that_was_come(tree: Path) -> None:
    roots = make(tree / "one")
    (tree / "one" / "sub" / "up").symlink_to("../a.txt")
    (tree / "one" / "deep").mkdir()
    (tree / "one" / "deep" / "sub").symlink_to("../sub")
    assert read(roots, "deep/sub/up") == "one/a.txt"
    (tree / "one" / "sub" / "far").symlink_to("../../two/c.txt")
    with pytest.raises(OutsideRoots):
        read(roots, "deep/sub/far")


def test_links_are_followed_a_bounded_number_of_times(tree: Path) -> None:
    roots, target = make(tree / "one"), "a.txt"
    for number in range(MAX_LINKS + 1):
        (tree / "one" / f"l{number}").symlink_to(target)
        target = f"l{number}"
    assert read(roots, f"l{MAX_LINKS - 1}") == "one/a.txt"
    with pytest.raises(WrongName):
        read(roots, f"l{MAX_LINKS}")


def test_the_depth_of_a_path_is_bounded(tree: Path) -> None:
    roots, path = make(tree / "one"), "/".join(["d"] * MAX_DEPTH)
    (tree / "one" / path / "d").mkdir(parents=True)
    with roots.folder(roots.place(path)):
        pass
    with pytest.raises(WrongName):
        roots.open(roots.place(f"{path}/d"))


def test_private_folders_are_closed_by_every_name(tree: Path) -> None:
    (tree / "one" / "link").symlink_to("sub")
    roots = make(tree / "one", private=[tree / "one" / "sub", tree / "missing"])
    for path in ("sub", "sub/b.txt", "link", "link/b.txt"):
        with pytest.raises(OutsideRoots, match="never shown"):
            roots.open(roots.place(path))
    assert read(roots, "a.txt") == "one/a.txt"


def test_narrowed_roots_show_only_what_is_below_them(tree: Path) -> None:
    (tree / "one" / "sub" / "out").symlink_to("../a.txt")
    (tree / "one" / "sub" / "absolute").symlink_to(tree / "one" / "a.txt")
    narrow = make(tree / "one").narrowed([f"{tree}/one/sub", f"{tree}/two"])
    assert read(narrow, "b.txt") == "one/sub/b.txt"
    for path in ("out", "absolute"):
        with pytest.raises(OutsideRoots):
            read(narrow, path)
    for path in ("../a.txt", f"{tree}/one/a.txt", "~/a.txt"):
        with pytest.raises(OutsideRoots):
            narrow.place(path)
    with pytest.raises(OutsideRoots):
        make(tree / "one").narrowed([f"{tree}/two"])


def test_a_narrowed_root_that_becomes_a_link_leads_nowhere_else(tree: Path) -> None:
    narrow = make(tree / "one").narrowed([f"{tree}/one/sub"])
    (tree / "one" / "sub").rename(tree / "one" / "moved")
    (tree / "one" / "sub").symlink_to("../two")
    with pytest.raises(OutsideRoots):
        read(narrow, "c.txt")


@pytest.mark.parametrize(
    ("path", "error"),
    [("nope", NoSuchFile), ("a.txt/x", NoSuchFile), ("sub", WrongKind), ("fifo", WrongKind), ("x" * 256, WrongName)],
)
def test_what_cannot_be_opened_says_why_and_leaves_no_descriptor(
    tree: Path, path: str, error: type[VibeTunnelError]
) -> None:
    os.mkfifo(tree / "one" / "fifo")
    before = len(os.listdir("/dev/fd"))
    roots = make(tree / "one")
    with pytest.raises(error):
        read(roots, path)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("swapped", ["sub", "a.txt"])
def test_what_becomes_a_link_after_it_was_looked_at_is_not_followed(
    tree: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    (tree / "two" / "b.txt").write_text("outside")
    looked = os.stat

    def look_and_swap(path: object, **how: object) -> os.stat_result:
        found = looked(path, **how)  # type: ignore[arg-type, call-overload]
        if path == swapped.encode():
            (tree / "one" / swapped).rename(tree / "moved")
            (tree / "one" / swapped).symlink_to(tree / ("two" if swapped == "sub" else "two/b.txt"))
        return found  # type: ignore[no-any-return]

    roots = make(tree / "one")
    monkeypatch.setattr(os, "stat", look_and_swap)
    with pytest.raises((NoSuchFile, WrongName)):
        read(roots, "sub/b.txt" if swapped == "sub" else swapped)


def test_every_mount_of_a_file_system_of_the_kernel_is_known() -> None:
    """A second mount of /proc has a device of its own."""
    mounts = [
        "22 28 0:21 / /proc rw,nosuid shared:13 - proc proc rw",
        "97 28 0:77 / /srv/jail/proc rw - proc none rw",
        "98 28 0:78 / /srv/a\\040b ro master:1 - cgroup2 cgroup rw",
        "28 1 253:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw",
    ]
    assert kernel_devices(mounts) == {os.makedev(0, 21), os.makedev(0, 77), os.makedev(0, 78)}


def test_the_actual_path_in_a_narrowed_root_that_a_link_leads_to(tree: Path) -> None:
    (tree / "one" / "name").symlink_to("sub")
    (tree / "one" / "away").symlink_to(tree / "two")
    roots = make(tree / "one").narrowed([str(tree / "one" / "name")])
    assert roots.actual(roots.place("b.txt")) == bytes(tree / "one" / "sub" / "b.txt")
    (tree / "one" / "sub" / "out").symlink_to(tree / "one" / "a.txt")
    for folder, path in (("name", "out"), ("away", "c.txt")):
        roots = make(tree / "one").narrowed([str(tree / "one" / folder)])
        with pytest.raises(OutsideRoots):
            roots.actual(roots.place(path))
