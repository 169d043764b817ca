"""The colours of the terminal's cells as a browser draws them, from a screenshot."""

from __future__ import annotations

import io
import struct
import zlib

from visitor import Visitor

Colour = tuple[int, int, int]


class Cells:
    """The colours in the middle of the terminal's cells, from a screenshot of its first 16 rows and 48 columns."""

    def __init__(self, visitor: Visitor) -> None:
        screen = visitor.page.locator(".xterm-screen")
        box = screen.bounding_box()
        assert box is not None
        rows, cols = visitor.size()
        self.wide, self.high = box["width"] / cols, box["height"] / rows
        width, height = 48 * self.wide, 16 * self.high
        image = visitor.page.screenshot(clip={"x": box["x"], "y": box["y"], "width": width, "height": height})
        self.image = rows_of(image)

    def __getitem__(self, at: tuple[int, int]) -> Colour:
        row, col = at
        x = int((col + 0.5) * self.wide) * 3
        red, green, blue = self.image[int((row + 0.5) * self.high)][x : x + 3]
        return red, green, blue

    def block(self, row: int, col: int, rows: int, cols: int) -> set[Colour]:
        return {self[y, x] for y in range(row, row + rows) for x in range(col, col + cols)}


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
