"""Private files and folders: mode, owner, no links."""

import errno
import os
import resource
import stat
from pathlib import Path

import pytest
from harness import no_more

from vibetunnel import paths
from vibetunnel.paths import NotPrivate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return paths.private_dir(tmp_path / "deep" / "er" / "state")


def test_a_new_folder_is_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = paths.private_dir(tmp_path / "state")
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert paths.private_dir(made) == made


def test_the_folders_above_a_new_one_are_closed_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        paths.private_dir(tmp_path / "one" / "two" / "three")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("one", "one/two")] == [0o700, 0o700]


def test_no_folder_is_used_that_others_could_exchange_for_theirs(folder: Path, tmp_path: Path) -> None:
    above = tmp_path / "deep"
    above.chmod(0o777)
    with pytest.raises(NotPrivate, match=f"{above} .*open to all .*anyone could replace"):
        paths.private_dir(folder)
    (tmp_path / "link").symlink_to(above / "er")
    with pytest.raises(NotPrivate, match="anyone could replace"):
        paths.private_dir(tmp_path / "link" / "state")
    above.chmod(0o1777)  # as /tmp: no user can remove the files of another
    assert paths.private_dir(folder) == folder
    above.chmod(0o775)  # the group usually has no other users
    assert paths.private_dir(tmp_path / "link" / ".." / "er" / "state")


def test_links_on_the_way_are_followed_and_must_not_be_of_others(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder.parent)
    assert paths.private_dir(link / "state") == link / "state"
    real = Path.lstat

    def lstat(self: Path) -> os.stat_result:
        found = list(real(self)[:10])
        found[stat.ST_UID] += self == link
        return os.stat_result(found)

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(NotPrivate, match=f"{link} belongs to user {os.geteuid() + 1}, who could replace"):
        paths.private_dir(link / "state")
    monkeypatch.setattr(paths, "_unmapped_uid", lambda: os.geteuid() + 1)  # the root folder of a container
    assert paths.private_dir(link / "state")


def test_links_in_a_circle_are_no_way(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    with pytest.raises(NotPrivate):
        paths.private_dir(tmp_path / "one" / "state")


def test_a_lock_is_seen_until_its_holder_lets_go(folder: Path) -> None:
    file = folder / "lock"
    assert not paths.is_locked(file)
    held = paths.lock_private(file)
    assert held is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert paths.is_locked(file)
    assert paths.lock_private(file) is None
    os.close(held)
    assert not paths.is_locked(file)


def test_an_open_folder_is_refused_with_the_way_out(folder: Path) -> None:
    folder.chmod(0o755)
    with pytest.raises(NotPrivate, match=f"mode 0755.*expected 0700; run `chmod 700 {folder}`"):
        paths.private_dir(folder)


def test_a_link_or_a_file_is_no_folder(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(NotPrivate, match="has to be a folder, and is a link"):
        paths.private_dir(link)
    file = tmp_path / "file"
    file.touch(0o600)
    with pytest.raises(NotPrivate, match="has to be a folder, and is a file"):
        paths.private_dir(file)
    with pytest.raises(NotPrivate, match="cannot make the folder"):
        paths.private_dir(file / "below")


def test_a_file_is_replaced_at_once_and_read_back(folder: Path) -> None:
    path = folder / "secret"
    paths.write_private(path, b"one")
    old = path.stat().st_ino
    paths.write_private(path, b"two")
    assert paths.read_private(path) == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_ino != old
    assert [each.name for each in folder.iterdir()] == ["secret"]


def test_a_file_that_others_may_read_is_refused(folder: Path) -> None:
    path = folder / "secret"
    paths.write_private(path, b"one")
    path.chmod(0o640)
    with pytest.raises(NotPrivate, match=r"mode 0640.*expected 0600; run `chmod 600"):
        paths.read_private(path)


def test_no_link_is_followed_and_no_fifo_is_waited_for(folder: Path) -> None:
    paths.write_private(folder / "real", b"one")
    (folder / "link").symlink_to(folder / "real")
    with pytest.raises(NotPrivate, match="cannot open"):
        paths.read_private(folder / "link")
    os.mkfifo(folder / "fifo", 0o600)
    with pytest.raises(NotPrivate, match="has to be a regular file"):
        paths.read_private(folder / "fifo")
    with pytest.raises(FileNotFoundError):
        paths.read_private(folder / "none")


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(folder: Path) -> None:
    target = folder / "secret"
    target.mkdir()
    with pytest.raises(NotPrivate, match="cannot write"):
        paths.write_private(target, b"one")
    assert [each.name for each in folder.iterdir()] == ["secret"]


def test_a_lock_can_be_taken_on_a_read_only_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, mode)

    made = paths.lock_private(tmp_path / "lock")
    assert made is not None
    os.close(made)
    monkeypatch.setattr(os, "open", read_only)
    held = paths.lock_private(tmp_path / "lock")
    assert held is not None
    assert paths.is_locked(tmp_path / "lock")
    os.close(held)
    with pytest.raises(paths.NotWritable, match="Read-only file system"):
        paths.lock_private(tmp_path / "another")


def test_a_folder_says_why_no_file_can_be_written(tmp_path: Path) -> None:
    assert paths.unwritable(tmp_path) == ""
    with no_more(resource.RLIMIT_FSIZE):
        assert paths.unwritable(tmp_path) == "File too large"
    assert paths.unwritable(tmp_path / "none") == "No such file or directory"
    assert list(tmp_path.iterdir()) == []
