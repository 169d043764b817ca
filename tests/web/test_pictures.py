"""Pictures in the browser, as a program prints them: in their cells, in scrollback, cleared, and after a reload."""

from __future__ import annotations

import base64
import re
import struct
import zlib

import pytest
from pixels import Cells
from visitor import Visitor

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
ROWS, COLS = 2, 4  # cells of each picture
# Asks for the size of a cell when a line is typed, and writes it to a file. Then it prints the files that are named.
PROGRAM = r"""
cd "$1"; stty -echo; echo started; read -r line; stty -icanon; printf '\033[16t'; IFS= read -r -d t told
stty icanon; printf %s "$told" > new; mv new told; while read -r name; do cat "$name"; done
"""


def sixel(colour: tuple[int, int, int], width: int, height: int) -> bytes:
    rest = chr(63 + (1 << height % 6) - 1)
    bands = f"!{width}~-" * (height // 6) + f"!{width}{rest}"
    red, green, blue = (round(each / 2.55) for each in colour)
    return f'\x1bP0;0;0q"1;1;{width};{height}#1;2;{red};{green};{blue}#1{bands}\x1b\\'.encode()


def png(colour: tuple[int, int, int], width: int, height: int) -> bytes:

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = (b"\0" + bytes(colour) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def kitty(keys: str, data: bytes = b"") -> bytes:
    return b"\x1b_G%s;%s\x1b\\" % (keys.encode(), base64.b64encode(data))


def iterm(data: bytes) -> bytes:
    return b"\x1b]1337;File=inline=1:%s\x07" % base64.b64encode(data)


class Show:
    """A session in an open page. It prints what it is given."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.folder = visitor.server.home / "shown"
        self.folder.mkdir()
        self.session = visitor.server.session(["bash", "-c", PROGRAM, "show", str(self.folder)], spawn="now")
        visitor.open_session(self.session)
        visitor.until_shows("^started$")
        visitor.type("\n")
        visitor.until((self.folder / "told").exists)
        high, wide = map(int, (self.folder / "told").read_text().split(";")[1:])
        self.size = (wide * COLS, high * ROWS)  # pixels of each picture
        self.count = 0

    def print(self, data: bytes) -> None:
        self.count += 1
        (self.folder / str(self.count)).write_bytes(data)
        self.visitor.type(f"{self.count}\n")

    def until(self, row: int, col: int, colour: tuple[int, int, int], rows: int = ROWS, cols: int = COLS) -> None:
        """Wait for a picture in these cells, and in none around them."""

        def is_shown() -> bool:
            cells = Cells(self.visitor)
            around = {cells[row + rows, col], cells[row, col + cols]} | ({cells[row - 1, col]} if row else set())
            return cells.block(row, col, rows, cols) == {colour} and colour not in around

        self.visitor.until(is_shown)

    def until_gone(self) -> None:
        self.visitor.until(lambda: not {RED, GREEN, BLUE} & Cells(self.visitor).block(0, 0, 14, 12))


@pytest.fixture
def show(visitor: Visitor) -> Show:
    return Show(visitor)


def test_a_picture_of_each_protocol_is_drawn_in_its_cells(show: Show) -> None:
    visitor, size = show.visitor, show.size
    raw = zlib.compress(bytes(RED) * size[0] * size[1])
    pictures = (
        (1, RED, sixel(RED, *size)),
        (4, GREEN, kitty("a=T,f=100,i=1,q=2", png(GREEN, *size))),
        (7, BLUE, iterm(png(BLUE, *size))),
        (10, RED, kitty(f"a=T,f=24,s={size[0]},v={size[1]},o=z,i=2,q=2", raw)),
    )
    show.print(b"\x1bc")
    for row, colour, data in pictures:
        show.print(b"\x1b[%d;3H" % (row + 1) + data)
        show.until(row, 2, colour)

    def drawn() -> None:
        for row, colour, _ in pictures:
            show.until(row, 2, colour)

    drawn()
    visitor.page.reload()
    visitor.until_connected()
    drawn()
    show.print(b"\x1b[24H" + b"".join(b"%d\r\n" % line for line in range(100)))
    visitor.until_shows(r"^99$")
    show.until_gone()
    visitor.press(*["Shift+PageUp"] * 10)
    drawn()
    show.print(b"\x1bc\x1b[3Jcleared\r\n")
    visitor.until_shows(r"^cleared$")
    show.until_gone()
    visitor.press(*["Shift+PageUp"] * 10)
    show.until_gone()


def test_a_picture_moves_with_its_line(show: Show) -> None:
    show.print(b"\x1bc\x1b[3;3H" + kitty("a=T,f=100,i=1,q=2,C=1", png(GREEN, *show.size)))
    show.until(2, 2, GREEN)
    show.print(b"\x1b[1;9r\x1b[H\x1bM")
    show.until(3, 2, GREEN)
    show.print(b"\x1b[3;9r\x1b[2S")  # a row of it leaves the region
    show.until(2, 2, GREEN, rows=1)
    show.print(b"\x1b[r\x1b[H\x1b[M")
    show.until(1, 2, GREEN, rows=1)
    show.print(kitty("a=d,d=i,i=1,q=2"))
    show.until_gone()
    show.print(b"\x1b[2;3H" + kitty("a=p,i=1,q=2,C=1"))
    show.until(1, 2, GREEN)
    show.print(b"\x1b[?1049h\x1b[H" + kitty("a=p,i=1,p=2,q=2,C=1"))
    show.until(0, 0, GREEN)
    show.print(b"\x1b[?1049l")
    show.until(1, 2, GREEN)


def test_text_over_a_picture_takes_its_place(show: Show) -> None:
    visitor, size = show.visitor, show.size
    show.print(
        b"\x1bc\x1b[2;3H" + sixel(RED, *size) + b"\x1b[6;3H" + kitty("a=T,f=100,z=-1,C=1,q=2", png(GREEN, *size))
    )
    show.until(1, 2, RED)
    show.until(5, 2, GREEN)
    show.print(b"\x1b[2;4Hx\x1b[6;3Hy\x1b[9H")
    visitor.until(lambda: Cells(visitor)[1, 3] != RED and Cells(visitor)[5, 2] != GREEN)
    cells = Cells(visitor)
    assert cells[1, 2] == cells[2, 3] == RED
    assert cells.block(1, 4, 2, 2) == {RED}
    assert cells[6, 2] == GREEN
    assert cells.block(5, 3, 2, 3) == {GREEN}
    assert re.search(r"^  y", visitor.text(), re.MULTILINE)


def test_a_picture_that_is_too_large_is_a_box(show: Show) -> None:
    show.print(b'\x1bc\x1b[2;3H\x1bPq"1;1;200;20000#0~\x1b\\\r\n')
    show.visitor.until(lambda: Cells(show.visitor)[4, 10] != Cells(show.visitor)[4, 40])
