"""Pictures of a terminal as files that a browser shows: sixel and raw pixels become PNG."""

from __future__ import annotations

import base64
import re
import struct
import zlib

from vibetunnel._ext import vt

PAGE_PIXELS = 64 * 1024 * 1024  # decoded for one page, about 2 s of a thread; more pictures are empty boxes
_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
_CHANNELS = {"rgb": 3, "rgba": 4}
_COLOUR_TYPES = {3: 2, 4: 6}  # of PNG, by channels
_CLASS = re.compile(rb'<span class="picture-([0-9a-f]{16})"')  # the program's own text has no `"`: it is escaped
_KEY = re.compile(r"[0-9a-f]{16}")


def key_of(text: str) -> int | None:
    """The key that a URL names, or None."""
    return int(text, 16) if _KEY.fullmatch(text) else None


def media_type(data: bytes) -> str:
    """The media type of a file of as_file()."""
    return next(name for begin, name in _TYPES.items() if data.startswith(begin))


def as_file(copy: vt.Engine, key: int, most: int = PAGE_PIXELS) -> bytes:
    """The picture as PNG, JPEG, GIF or WebP; empty if it is not kept, damaged, or has more than `most` pixels."""
    picture = copy.picture(key)
    if picture is None or picture.width * picture.height > most:
        return b""
    channels = _CHANNELS.get(picture.kind)
    if channels is None:
        return picture.data
    size = picture.width * picture.height * channels
    try:
        pixels = zlib.decompressobj().decompress(picture.data, size) if picture.zlib else picture.data
    except zlib.error:
        return b""
    return png(pixels, picture.width, picture.height, channels) if len(pixels) >= size else b""


def png(pixels: bytes, width: int, height: int, channels: int) -> bytes:
    """A PNG of rows of pixels of 8 bits a channel: 3 for RGB, 4 for RGBA."""
    packer = zlib.compressobj(1)
    rows = memoryview(pixels)
    packed: list[bytes] = []
    for at in range(0, width * height * channels, width * channels):
        packed += packer.compress(b"\0"), packer.compress(rows[at : at + width * channels])
    packed.append(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    chunks = _chunk(b"IHDR", header), _chunk(b"IDAT", b"".join(packed)), _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def rules(copy: vt.Engine, html: bytes) -> bytes:
    """The style rules of the pictures in a page of `copy`, which contain them."""
    left = PAGE_PIXELS
    made = []
    for key in sorted(set(_CLASS.findall(html))):
        picture = as_file(copy, int(key, 16), left)
        if picture:
            found = copy.picture(int(key, 16))
            left -= found.width * found.height if found else 0
            data = b"url(data:%s;base64,%s)" % (media_type(picture).encode(), base64.b64encode(picture))
            made.append(b".picture-%s { background: %s no-repeat }\n" % (key, data))
        else:
            made.append(b".picture-%s { background: #80808080 }\n" % key)
    return b"<style>.no-picture { background: #80808080 }\n%s</style>\n" % b"".join(made)
