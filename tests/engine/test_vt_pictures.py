"""Pictures in the engine: sixel as xterm 379 places it, kitty's protocol, iTerm2's files, and hostile ones."""

from __future__ import annotations

import base64
import json
import random
import struct
import zlib
from typing import Any

import pytest
from vt.viewers import Viewer

from vibetunnel._ext.vt import Engine

ROWS, COLS = 24, 80
MIB = 1024 * 1024


def sixel(width: int, height: int, body: str = "#0~") -> bytes:
    return f'\x1bPq"1;1;{width};{height}{body}\x1b\\'.encode()


def png(width: int, height: int) -> bytes:
    """A PNG with that size in its header, and no pixels."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x02\0\0\0"


def kitty(keys: str, data: bytes = b"") -> bytes:
    return b"\x1b_G%s;%s\x1b\\" % (keys.encode(), base64.b64encode(data))


def iterm(options: str, data: bytes) -> bytes:
    return b"\x1b]1337;File=%s:%s\x07" % (options.encode(), base64.b64encode(data))


def empty(rows: int = ROWS, cols: int = COLS) -> Engine:
    """A terminal whose cells have 20 x 10 pixels."""
    engine = Engine(rows, cols)
    engine.set_pixels(20, 10)
    return engine


def terminal(*output: bytes, rows: int = ROWS, cols: int = COLS) -> Engine:
    """A terminal that took the output, which redraws and copies as it must."""
    found = empty(rows, cols)
    for each in output:
        found.feed(each)
    copied = Engine(rows, cols)
    copied.feed(found.redraw(scrollback_lines=10_000))
    assert state(copied) == state(found)
    assert found.clone(scrollback_lines=10_000).dump() == found.dump()
    single = empty(rows, cols)
    for byte in b"".join(output) if sum(map(len, output)) < 20_000 else b"":
        single.feed(bytes((byte,)))
    if single.offset:
        assert single.dump() == found.dump()
    return found


def state(engine: Engine) -> str:
    return engine.dump().partition("-- scrollback --")[0]


def pictures(engine: Engine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(engine.json())["pictures"]
    return found


def places(engine: Engine) -> list[tuple[int, int, int, int]]:
    return [(each["row"], each["col"], each["rows"], each["cols"]) for each in pictures(engine)]


@pytest.mark.parametrize(
    ("before", "cursor"),
    [
        (b"\x1b[3;5H", (4, 4)),  # in the picture's last row, in the column where it began
        (b"\x1b[?8452h\x1b[3;5H", (4, 7)),  # right of it
        (b"\x1b[?80h\x1b[3;5H", (2, 4)),  # DECSDM: it is in the corner, and the cursor stays
        (b"\x1b[24;5H", (23, 4)),  # the screen scrolls
        (b"\x1b[?8452h\x1b[24;5H", (23, 7)),
        (b"\x1b[3;78H", (4, 77)),
    ],
)
def test_sixel_leaves_the_cursor_where_xterm_does(before: bytes, cursor: tuple[int, int]) -> None:
    assert terminal(before, sixel(25, 60)).cursor[:2] == cursor


def test_sixel_has_the_size_that_it_declares_or_draws() -> None:
    found = terminal(sixel(25, 60), b"\x1b[10H", sixel(1, 1, "!30~-!40@"), b"\x1b[15H\x1bPq!7~$-~\x1b\\")
    assert [(each["width"], each["height"]) for each in pictures(found)] == [(25, 60), (40, 7), (7, 12)]


def test_sixel_is_drawn_with_its_colours() -> None:
    found = terminal(b"\x1bP0;1q#1;2;100;0;0#2;1;120;50;100#1!2@#2?@$#1?A\x1b\\")
    picture = found.picture(int(pictures(found)[0]["key"], 16))
    assert picture is not None
    assert (picture.kind, picture.width, picture.height) == ("rgba", 4, 2)
    red, clear = b"\xff\0\0\xff", b"\0\0\0\0"
    assert picture.data[:8] == red * 2
    assert picture.data[8:12] == clear
    assert picture.data[12:16] == b"\xff\0\0\xff"  # DEC's hue of 120 is red
    assert picture.data[16:24] == clear + red


def test_tiles_behave_as_text() -> None:
    one = sixel(20, 40)
    assert places(terminal(b"\x1b[3;3H", one)) == [(2, 2, 2, 2)]
    assert terminal(b"\x1b[3;3H", one).text(2, 4) == "\n\n"
    assert places(terminal(b"\x1b[3;3H", one, b"\x1b[3;3Hxx\x1b[4;3Hxx")) == []
    assert places(terminal(b"\x1b[3;3H", one, b"\x1b[3;3Hxx")) == [(2, 2, 2, 2)]
    assert places(terminal(b"\x1b[3;3H", one, b"\x1b[2J")) == []
    assert places(terminal(b"\x1b[3;3H", one, b"\x1b[2;10r\x1b[2S")) == [(0, 2, 2, 2)]
    scrolled = terminal(one, b"\n" * 30)
    assert places(scrolled) == []
    assert b"picture-" in scrolled.html(-8, 0)
    scrolled.resize(40, 60)
    assert b"picture-" in scrolled.html(-scrolled.scrollback_count)


def test_a_picture_is_wide_as_the_screen_and_tall_as_its_cells() -> None:
    assert places(terminal(b"\x1b[1;70H", sixel(500, 40))) == [(0, 69, 2, 50)]
    found = terminal(sixel(3000, 3000), rows=24, cols=400)
    assert found.cursor.row == 23
    assert found.scrollback_count == 20_000 // 297 - 24


def test_kitty_places_and_moves_the_cursor() -> None:
    raw = bytes(3 * 30 * 50)
    found = terminal(b"\x1b[2;3H", kitty("a=T,f=24,s=30,v=50,i=5", raw))
    assert places(found) == [(1, 2, 3, 3)]
    assert found.cursor[:2] == (3, 5)
    assert found.take_replies() == b"\x1b_Gi=5;OK\x1b\\"
    found = terminal(kitty("a=t,f=24,s=30,v=50,i=5", raw), b"\x1b[2;3H", kitty("a=p,i=5,p=2,c=10,C=1"))
    assert places(found) == [(1, 2, 9, 10)]
    assert found.cursor[:2] == (1, 2)
    found.feed(b"\x1b[5;5H" + kitty("a=p,i=5,p=2,c=1,r=1"))  # it moves
    assert places(found) == [(4, 4, 1, 1)]
    assert found.take_replies() == b"\x1b_Gi=5;OK\x1b\\" + 2 * b"\x1b_Gi=5,p=2;OK\x1b\\"


def test_a_picture_is_laid_out_for_the_cells_that_a_program_is_told() -> None:
    file = iterm("inline=1", png(160, 80))
    output = sixel(160, 80) + b"\x1b[10H" + file + b"\x1b[17H" + kitty("a=T,f=100,C=1", png(160, 80))
    engine = Engine(ROWS, COLS)
    for cell, size in (((0, 0), (5, 20)), ((40, 20), (2, 8)), ((34, 15), (3, 11))):
        engine.set_pixels(*cell)
        engine.feed(b"\x1bc" + output + b"\x1b[16t\x1b[?2;1;0S")
        assert [place[2:] for place in places(engine)] == [size] * 3
        high, wide = cell if cell[0] else (17, 8)
        assert engine.take_replies() == b"\x1b[6;%d;%dt\x1b[?2;0;%d;%dS" % (high, wide, COLS * wide, ROWS * high)
        clone = engine.clone()
        clone.feed(b"\x1bc" + output)
        assert places(clone) == places(engine)
    engine.set_pixels(20, 10)
    assert [place[2:] for place in places(engine)] == [(3, 11)] * 3  # what is placed keeps its cells


def test_kitty_takes_chunks_and_compressed_pixels() -> None:
    packed = zlib.compress(bytes(4 * 100 * 100))
    half = len(packed) // 6 * 3
    first = kitty("a=T,f=32,s=100,v=100,o=z,i=9,m=1", packed[:half])
    found = terminal(first, kitty("m=0", packed[half:]))
    assert places(found) == [(0, 0, 5, 10)]
    picture = found.picture(int(pictures(found)[0]["key"], 16))
    assert picture is not None
    assert (picture.kind, picture.zlib, picture.data) == ("rgba", True, packed)
    pending = terminal(first)
    reader = empty()
    reader.feed(pending.redraw())
    reader.feed(kitty("m=0", packed[half:]))
    assert places(reader) == places(found)


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        (kitty("a=q,i=1,s=1,v=1,f=24", b"abc"), "i=1;OK"),
        (kitty("a=q,i=1,s=1,v=1,f=24,q=1", b"abc"), ""),
        (kitty("a=q,i=1,s=9,v=1,f=24", b"abc"), "i=1;ENODATA:insufficient image data"),
        (kitty("a=q,i=1,s=9,v=1,f=24,q=1", b"abc"), "i=1;ENODATA:insufficient image data"),
        (kitty("a=q,i=1,s=9,v=1,f=24,q=2", b"abc"), ""),
        (kitty("a=q,i=1,s=1,v=1,t=f", b"/etc/passwd"), "i=1;EINVAL:only direct data is supported: t=d"),
        (kitty("a=q,i=1,f=100", b"no picture"), "i=1;EBADPNG:not a picture, or too large"),
        (kitty("a=q,i=1,f=100", png(9000, 9000)), "i=1;EBADPNG:not a picture, or too large"),
        (kitty("a=q,i=1,s=99999,v=1,f=24", b"abc"), "i=1;EINVAL:s and v are out of range"),
        (kitty("a=p,i=77"), "i=77;ENOENT:there is no such picture"),
        (kitty("a=f,i=77"), "i=77;EINVAL:unknown action: a is t, T, p, d or q"),
        (kitty("i=1,I=2,s=1,v=1,f=24", b"abc"), "i=1,I=2;EINVAL:i and I exclude each other"),
        (b"\x1b_Gi=1,s=1,v=1,f=24;*\x1b\\", "i=1;ENODATA:no data, or it is not base64"),
        (b"\x1b_Gi=1,s=x;\x1b\\", "i=1;EINVAL:malformed command"),
        (kitty("a=t,I=3,s=1,v=1,f=24", b"abc"), "i=1073741824,I=3;OK"),
        (kitty("a=T,s=1,v=1,f=24", b"abc"), ""),
    ],
)
def test_kitty_is_answered(output: bytes, answer: str) -> None:
    found = terminal(output)
    assert found.take_replies().decode() == (f"\x1b_G{answer}\x1b\\" if answer else "")


@pytest.mark.parametrize(
    ("delete", "left"),
    [
        ("a=d", []), ("a=d,d=a", []), ("a=d,d=A", []), ("a=d,d=i,i=1", [2]), ("a=d,d=I,i=2", [1]),
        ("a=d,d=i,i=9", [1, 2]), ("a=d,d=c", [1]), ("a=d,d=p,x=2,y=2", [2]), ("a=d,d=q,x=2,y=2,z=5", [1, 2]),
        ("a=d,d=x,x=2", [2]), ("a=d,d=y,y=5", [1]), ("a=d,d=z,z=-3", [1]), ("a=d,d=r,x=1,y=1", [2]),
        ("a=d,d=n,I=4", [1, 2]), ("a=d,d=?", [1, 2]),
    ],
)  # fmt: skip
def test_kitty_deletes(delete: str, left: list[int]) -> None:
    found = terminal(
        b"\x1b[2;2H" + kitty("a=T,f=100,i=1,C=1", png(20, 40)),
        b"\x1b[5;5H" + kitty("a=T,f=100,i=2,C=1,z=-3", png(20, 40)),
        kitty(delete),
    )
    assert [1 + (each["row"] == 4) for each in sorted(pictures(found), key=lambda each: int(each["row"]))] == left


def test_kitty_placements_stay_with_their_lines() -> None:
    one = b"\x1b[3;3H" + kitty("a=T,f=100,C=1", png(20, 40))
    assert places(terminal(one, b"\x1b[24;1H\n\n")) == [(0, 2, 2, 2)]
    assert places(terminal(one, b"\x1b[24;1H\n\n\n")) == [(-1, 2, 2, 2)]
    assert places(terminal(one, b"\x1b[2;9r\x1b[2;1H\x1bM")) == [(3, 2, 2, 2)]
    assert places(terminal(one, b"\x1b[2;9r\x1b[2S")) == [(1, 2, 1, 2)]  # a row of it has left the region
    assert places(terminal(one, b"\x1b[2;9r\x1b[4S")) == []
    assert places(terminal(one, b"xx\x1b[K\x1b[3;1H\x1b[J")) == [(2, 2, 2, 2)]
    assert places(terminal(one, b"\x1b[2J")) == []
    assert places(terminal(one, b"\x1b[H\x1b[J")) == []
    assert places(terminal(one, b"\x1bc")) == []
    assert places(terminal(one, b"\x1b[?1049h")) == []
    assert places(terminal(one, b"\x1b[?1049h", one, b"\x1b[?1049l")) == [(2, 2, 2, 2)]
    assert places(terminal(b"\x1b[?1049h", one, b"\x1b[2S")) == [(0, 2, 2, 2)]
    wide = terminal(one, b"\x1b[8;1Hprompt")
    wide.resize(20, 40)
    assert places(wide) == [(2, 2, 2, 2)]


@pytest.mark.parametrize(
    ("scroll", "damages"),
    [
        (b"\x1b[24H\n", 0),  # the viewer keeps a picture at its line
        (b"\x1b[H\x1bM", 1),
        (b"\x1b[2;9r\x1b[9H\n", 1),
        (b"\x1b[1;9r\x1b[9H\n", 1),
        (b"\x1b[2;9r\x1b[2S", 1),
        (b"\x1b[H\x1b[L", 1),
        (b"\x1b[12;20r\x1b[2S", 0),  # it stands elsewhere
    ],
)
def test_a_viewer_hears_of_a_picture_that_moves_without_its_line(scroll: bytes, damages: int) -> None:
    output = b"one\r\ntwo\x1b[3;3H" + kitty("a=T,f=100,C=1,q=2", png(20, 40))
    found, shown = empty(), empty()
    viewer = Viewer(found)
    found.feed(output)
    shown.feed(viewer.take(output))
    before = viewer.damages
    for piece in (scroll[:-1], scroll[-1:]):
        found.feed(piece)
        output += piece
        shown.feed(viewer.take(output))
    assert (viewer.damages - before, viewer.redraws) == (damages, 0)
    assert shown.dump() == found.dump()


def test_kitty_placeholders_show_a_virtual_placement() -> None:
    tiles = "\U0010eeee\u0305\u0305\U0010eeee\u0305\u030d".encode()
    found = terminal(kitty("a=T,U=1,f=100,i=42,c=2,r=1,q=2", png(20, 20)), b"\x1b[2;2H\x1b[38;5;42m", tiles)
    assert places(found) == [(1, 1, 1, 2)]
    assert found.cursor[:2] == (1, 3)
    assert places(terminal(b"\x1b[38;5;42m", tiles)) == []


@pytest.mark.parametrize(
    ("options", "place", "cursor"),
    [
        ("inline=1", (0, 0, 4, 16), (3, 16)),
        ("inline=1;width=4;height=4", (0, 0, 1, 4), (0, 4)),
        ("inline=1;width=4;height=4;preserveAspectRatio=0", (0, 0, 4, 4), (3, 4)),
        ("inline=1;width=80px", (0, 0, 2, 8), (1, 8)),
        ("inline=1;width=50%;height=auto", (0, 0, 10, 40), (9, 40)),
        ("inline=1;height=2", (0, 0, 2, 8), (1, 8)),
        ("inline=1;width=999", (0, 0, 20, 80), (19, 79)),
        ("inline=1;doNotMoveCursor=1", (0, 0, 4, 16), (0, 0)),
    ],
)
def test_iterm_sizes(options: str, place: tuple[int, ...], cursor: tuple[int, int]) -> None:
    found = terminal(iterm(options, png(160, 80)))
    assert places(found) == [place]
    assert found.cursor[:2] == cursor


def test_iterm_takes_files_in_parts_and_no_downloads() -> None:
    data = png(20, 20)
    parts = [b"\x1b]1337;FilePart=%s\x07" % base64.b64encode(data[at : at + 9]) for at in range(0, len(data), 9)]
    assert places(terminal(b"\x1b]1337;MultipartFile=inline=1\x07", *parts, b"\x1b]1337;FileEnd\x07")) == [(0, 0, 1, 2)]
    assert places(terminal(iterm("inline=0", data), iterm("name=eA==", data), iterm("inline=1", b"#!/bin/sh"))) == []
    assert places(terminal(*parts, b"\x1b]1337;FileEnd\x07")) == []


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (png(3, 5), "png"),
        (b"GIF89a\3\0\5\0\0\0\0", "gif"),
        (b"\xff\xd8\xff\xe0\0\4ab\xff\xc0\0\x11\x08\0\5\0\3\3", "jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\2\0\0\4\0\0", "webp"),
    ],
)
def test_files_say_their_size(data: bytes, kind: str) -> None:
    (found,) = pictures(terminal(iterm("inline=1", data)))
    assert (found["kind"], found["width"], found["height"]) == (kind, 3, 5)


def test_a_restart_brings_pictures_back_within_its_room() -> None:
    before = terminal(
        sixel(20, 40), b"\r\n", kitty("a=T,f=24,s=100,v=100,i=3", bytes(30_000)), iterm("inline=1", png(9, 9))
    )
    after = Engine(ROWS, COLS)
    after.feed(before.picture_data(most=MIB) + before.redraw())
    assert state(after) == state(before)
    assert all(each["kept"] for each in pictures(after))
    small = Engine(ROWS, COLS)
    small.feed(before.picture_data(most=10_000) + before.redraw())
    assert sorted(each["kept"] for each in pictures(small)) == [False, True, True]


def test_a_redraw_does_not_repeat_the_bytes() -> None:
    assert len(terminal(kitty("a=T,f=24,s=200,v=200,i=3", bytes(120_000))).redraw()) < 4000


def test_graphics_attributes_are_told() -> None:
    found = terminal(b"\x1b[?1;1;0S\x1b[?2;1;0S\x1b[?2;4;0S\x1b[?3;1;0S\x1b[?1;3;256S\x1b[c")
    assert found.take_replies() == (
        b"\x1b[?1;0;1024S\x1b[?2;0;800;480S\x1b[?2;0;800;480S\x1b[?3;1S\x1b[?1;2S\x1b[?64;4;6;17;21;22;28c"
    )


# Hostile output


def test_what_is_too_large_is_a_box() -> None:
    bomb = b'\x1bPq"1;1;9999;9999#0' + b"!99999999~-" * 2000 + b"\x1b\\"
    for output in (
        bomb,
        sixel(20_000, 20),
        kitty("a=T,f=100,i=1,q=2", png(60_000, 60_000)),
        iterm("inline=1", png(9999, 9999)),
    ):
        found = terminal(output)
        assert not any(each["kept"] for each in pictures(found))
        assert found.memory < 2 * MIB


def test_a_sixel_that_draws_everything_again_ends() -> None:
    found = terminal(sixel(4000, 4000, "#0" + "!4000~$" * 100_000))
    picture = found.picture(int(pictures(found)[0]["key"], 16))
    assert picture is not None
    assert len(picture.data) == 4 * 4000 * 4000


def test_strings_without_an_end_cost_a_bounded_memory() -> None:
    digits = b"QUJD" * 16_384
    for begin in (b"\x1bPq", b"\x1b_Ga=T,f=24,s=9,v=9,i=1;", b"\x1b]1337;File=inline=1:", b"\x1b_G" + b"a" * 70_000):
        found = Engine(ROWS, COLS)
        found.feed(begin)
        for _ in range(400):  # 26 MB
            found.feed(digits)
        assert found.memory < 18 * MIB
        found.feed(b"\x18")
        assert found.memory < MIB
    found = Engine(ROWS, COLS)
    for keys in (b"i=1,a=T,f=24,s=9,v=9,m=1", *[b"m=1"] * 400):
        found.feed(b"\x1b_G%s;%s\x1b\\" % (keys, digits))
    assert found.memory < 18 * MIB
    found.feed(b"\x1b_Gm=0;\x1b\\")
    assert found.take_replies() == b"\x1b_Gi=1;EFBIG:too much data\x1b\\"


def test_all_pictures_together_have_a_budget() -> None:
    found = Engine(ROWS, COLS)
    for number in range(1, 12):
        found.feed(kitty(f"a=T,f=24,s=1000,v=1000,i={number},q=2,C=1", random.Random(number).randbytes(3_000_000)))
    assert found.memory < 18 * MIB
    assert [each["kept"] for each in pictures(found)] == [False] * 6 + [True] * 5
    for number in range(1000):
        found.feed(kitty(f"a=p,i=11,p={number + 1},c=1,r=1,q=2,C=1"))
    assert len(pictures(found)) == 512
    for _number in range(1000):
        found.feed(sixel(1, 1))
    assert found.memory < 18 * MIB
    assert len(found.redraw(scrollback_lines=10_000)) < MIB


def test_deleting_what_is_not_there_is_no_error() -> None:
    letters = "aAiIcCnNpPqQrRxXyYzZfF!"
    found = terminal(*(kitty(f"a=d,d={letter},i=4294967295,p=9,x=4294967295,y=0,z=-1") for letter in letters))
    assert places(found) == []


def test_records_of_a_redraw_are_believed_within_bounds() -> None:
    nines = ";".join(["99999999999999999999"] * 20)
    found = terminal(
        b"".join(
            b"\x1b]7717;%s\x1b\\" % record.encode()
            for record in (
                "b",
                f"i;{nines}",
                "i;1;f;4;0;0;-5;x;;",
                f"p;{nines}",
                "p;" + ";".join(["-9"] * 20),
                "e;1",
                "i",
                "",
            )
        )
        + b"\x1b]7717;i;5;0123456789abcdef;4;0;0;10;10;3;1;0:YWJj\x1b\\"
    )
    assert not any(each["kept"] for each in pictures(found))


@pytest.mark.parametrize("seed", range(60))
def test_any_mixture_redraws_and_is_cut_anywhere(seed: int) -> None:
    r = random.Random(seed)
    pieces = [
        b"text ", b"\r\n", b"\n" * 9, b"\x1b[2J", b"\x1b[H", b"\x1b[K", b"\x1b[5;9r", b"\x1b[r", b"\x1b[3S", b"\x1b[2T",
        b"\x1bM", b"\x1b[?1049h", b"\x1b[?1049l", b"\x1bc", b"\x1b[?80h", b"\x1b[?80l", b"\x1b[?8452h", b"\x1b[4h",
        b"\x1b[?69h\x1b[5;20s", sixel(25, 45), sixel(999, 30), b"\x1bPq", b"#0!40~-", b"\x1b\\", b"\x18", b"\x1b_G",
        b"a=T,f=24,s=1,v=1,i=3;", b"YWJj", kitty("a=T,f=24,s=1,v=2,i=1", b"abcdef"),
        kitty("a=T,f=24,s=1,v=2,m=1", b"abc"), kitty("m=0", b"def"), kitty("a=p,i=1,c=3,r=3,z=-1"), kitty("a=d"),
        kitty("a=d,d=I,i=1"), kitty("a=T,U=1,i=4,f=24,s=1,v=1,c=2,r=2", b"abc"),
        iterm("inline=1;width=3", png(9, 9)), b"\x1b]1337;MultipartFile=inline=1\x07", b"\x1b]1337;FilePart=YWJj\x07",
        b"\x1b]1337;FileEnd\x07", b"\x1b]1337;File=inline=1:", "\U0010eeee\u0305".encode(), b"\x1b[38;5;4m", b"\x1b[m",
    ]  # fmt: skip
    output = [r.choice(pieces) for _ in range(r.randint(1, 25))]
    found = terminal(*output, rows=10, cols=30)
    reader = empty(10, 30)
    reader.feed(r.choice(pieces) + found.redraw())
    for each in r.choices(pieces, k=5):
        found.feed(each)
        reader.feed(each)
    assert state(reader) == state(found)
