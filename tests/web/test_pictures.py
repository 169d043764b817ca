"""Pictures in the browser: of each protocol, in their cells, in scrollback, cleared, and after a reload."""

from __future__ import annotations

import base64
import io
import re
import struct
import zlib

from visitor import Visitor

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
SIXEL = b'\x1bP0;0;0q"1;1;40;40#1;2;100;0;0#1' + b"!40~-" * 6 + b"!40N\x1b\\"  # 4 x 2 cells of red


def png(colour: tuple[int, int, int], width: int = 40, height: int = 40) -> bytes:
    """A picture of one colour: 4 x 2 cells."""

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


def rows_of(image: bytes) -> list[bytes]:
    """The rows of a screenshot, in RGB: a PNG of 8 bits a channel without interlacing, as Chromium writes it."""
    stream = io.BytesIO(image[8:])
    body = b""
    width = channels = 0
    while head := stream.read(8):
        length, name = struct.unpack(">I4s", head)
        data = stream.read(length + 4)[:length]
        if name == b"IHDR":
            width, channels = struct.unpack(">I", data[:4])[0], {2: 3, 6: 4}[data[9]]
        elif name == b"IDAT":
            body += data
    raw = zlib.decompress(body)
    stride = width * channels
    rows: list[bytes] = []
    before = bytearray(stride)
    for at in range(0, len(raw), stride + 1):
        row = bytearray(raw[at + 1 : at + 1 + stride])
        unfilter(raw[at], row, before, channels)
        rows.append(b"".join(bytes(row[i : i + 3]) for i in range(0, stride, channels)))
        before = row
    return rows


def unfilter(how: int, row: bytearray, above: bytearray, channels: int) -> None:
    """Undo a filter of PNG (ISO/IEC 15948, 9.2) in place."""
    for i in range(len(row)):
        left, corner = (row[i - channels], above[i - channels]) if i >= channels else (0, 0)
        up = above[i]
        if how == 4:
            guess = left + up - corner
            nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))
            row[i] = row[i] + nearest[2] & 255
        else:
            row[i] = row[i] + (0, left, up, (left + up) // 2)[how] & 255


class Cells:
    """The colours in the middle of the terminal's cells, from a screenshot."""

    def __init__(self, visitor: Visitor) -> None:
        screen = visitor.page.locator(".xterm-screen")
        box = screen.bounding_box()
        assert box is not None
        rows, cols = visitor.size()
        self.wide, self.high = box["width"] / cols, box["height"] / rows
        self.image = rows_of(screen.screenshot())

    def __getitem__(self, at: tuple[int, int]) -> tuple[int, int, int]:
        row, col = at
        x = int((col + 0.5) * self.wide) * 3
        red, green, blue = self.image[int((row + 0.5) * self.high)][x : x + 3]
        return red, green, blue

    def block(self, row: int, col: int, rows: int = 2, cols: int = 4) -> set[tuple[int, int, int]]:
        return {self[y, x] for y in range(row, row + rows) for x in range(col, col + cols)}


def printed(visitor: Visitor, data: bytes, then: str = "exec cat") -> str:
    """A session that has printed the bytes, up to the word `ready`."""
    file = visitor.server.home / "pictures"
    file.write_bytes(data + b"ready\n")
    session = visitor.server.session(f"cat {file}; {then}", spawn="now")
    visitor.until(lambda: "ready" in visitor.server.text(session))
    return session


def test_a_picture_of_each_protocol_is_drawn_in_its_cells(visitor: Visitor) -> None:
    data = (
        b"\x1b[2;3H" + SIXEL
        + b"\x1b[5;3H" + kitty("a=T,f=100,i=1,q=2", png(GREEN))
        + b"\x1b[8;3H" + iterm(png(BLUE))
        + b"\x1b[11;3H" + kitty("a=T,f=24,s=40,v=40,o=z,i=2,q=2", zlib.compress(bytes(RED) * 1600))
        + b"\x1b[14;1H"
    )  # fmt: skip
    session = printed(visitor, data, "read line; seq 100; read line; tput reset; echo cleared; exec cat")
    visitor.open_session(session)

    def drawn() -> None:
        visitor.until(lambda: Cells(visitor).block(10, 2) == {RED})
        cells = Cells(visitor)
        assert cells.block(1, 2) == {RED}
        assert cells.block(4, 2) == {GREEN}
        assert cells.block(7, 2) == {BLUE}
        assert not {RED, GREEN, BLUE} & (cells.block(1, 6) | cells.block(3, 2, 1))

    drawn()
    visitor.page.reload()
    visitor.until_connected()
    drawn()
    visitor.type("\n")
    visitor.until_shows(r"^100$")
    visitor.until(lambda: not {RED, GREEN, BLUE} & Cells(visitor).block(0, 0, 10, 10))
    visitor.press(*["Shift+PageUp"] * 10)
    visitor.until_shows(r"^ready$")
    drawn()
    visitor.type("\n")
    visitor.until_shows(r"^cleared$")
    visitor.until(lambda: not {RED, GREEN, BLUE} & Cells(visitor).block(0, 0, 12, 10))
    visitor.press(*["Shift+PageUp"] * 10)
    assert not {RED, GREEN, BLUE} & Cells(visitor).block(0, 0, 12, 10)


def test_text_over_a_picture_takes_its_place(visitor: Visitor) -> None:
    data = b"\x1b[2;3H" + SIXEL + b"\x1b[2;4Hx\x1b[6;3H" + kitty("a=T,f=100,z=-1,C=1", png(GREEN)) + b"y\r\n\n\n"
    visitor.open_session(printed(visitor, data))
    visitor.until(lambda: Cells(visitor).block(1, 4, 2, 2) == {RED} and Cells(visitor).block(5, 3, 2, 3) == {GREEN})
    cells = Cells(visitor)
    assert cells[1, 2] == cells[2, 3] == RED
    assert cells[1, 3] != RED
    assert cells[5, 2] != GREEN
    assert cells[6, 2] == GREEN
    assert re.search(r"^  y", visitor.text(), re.MULTILINE)


def test_a_picture_that_is_too_large_is_a_box(visitor: Visitor) -> None:
    data = b'\x1b[2;3H\x1bPq"1;1;200;20000#0~\x1b\\\r\n'
    visitor.open_session(printed(visitor, data))
    visitor.until(lambda: Cells(visitor)[4, 10] != Cells(visitor)[4, 40])
