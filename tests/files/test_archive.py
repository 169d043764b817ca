"""Folders as archives: bounded in all that they may cost."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from vibetunnel.files import archive
from vibetunnel.files.errors import FileTooLarge
from vibetunnel.files.roots import Roots


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots([bytes(tmp_path)], list, bytes(tmp_path))


def test_entries_that_are_left_out_count_too(roots: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 3)
    for number in range(4):
        (tmp_path / str(number)).symlink_to("nowhere")
    with pytest.raises(FileTooLarge, match="more than 3 entries"):
        list(archive.zipped(roots, roots.place(".")))


def test_the_paths_that_are_kept_are_bounded(roots: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_NAMES", 1000)
    for number in range(10):
        (tmp_path / f"{number}{'x' * 200}").touch()
    with pytest.raises(FileTooLarge, match="The paths in the folder"):
        list(archive.zipped(roots, roots.place(".")))


def test_a_folder_with_nothing_to_send_ends_its_steps(
    roots: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "TURN", 10)
    for number in range(100):
        (tmp_path / str(number)).symlink_to("nowhere")
    assert len(list(archive.zipped(roots, roots.place(".")))) == 11


def test_deep_folders_cost_few_descriptors(roots: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "TURN", 1)
    deep = tmp_path / "/".join(["d"] * 100)
    deep.mkdir(parents=True)
    (deep / "a.txt").write_text("found")
    before, most, data = len(os.listdir("/dev/fd")), 0, b""
    for part in archive.zipped(roots, roots.place("d")):
        data += part
        most = max(most, len(os.listdir("/dev/fd")) - before)
    assert most <= 3
    assert zipfile.ZipFile(io.BytesIO(data)).namelist()[-1] == "d/" * 100 + "a.txt"


def test_names_of_entries_have_no_direction_characters_and_no_line_breaks(roots: Roots, tmp_path: Path) -> None:
    folder = tmp_path / "d\u2066"
    folder.mkdir()
    (folder / "photo_\u202egpj.exe").touch()
    (folder / "a\nb\r\u2028\x1b.txt").touch()
    data = b"".join(archive.zipped(roots, roots.place("d\u2066")))
    assert sorted(zipfile.ZipFile(io.BytesIO(data)).namelist()) == ["d_/", "d_/a_b___.txt", "d_/photo__gpj.exe"]
