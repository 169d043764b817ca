"""Names of files as text, and names that are safe to give to a file. Pure.

A file's name is bytes, and need not be UTF-8. JSON and URLs are text. So a byte 0x80 to 0xFF that is no UTF-8 becomes
the character U+F780 to U+F7FF, which is for private use, and becomes the byte again on the way back. A real character
of that range is written as its bytes, so that each name has one text, and each text one name.
"""

from __future__ import annotations

import mimetypes
import re

MAX_NAME = 255  # bytes of one name, as in all file systems that matter
MAX_PATH = 4096  # bytes, as in Linux

BINARY = "application/octet-stream"
TEXT = "text/plain"

_SHIFT = 0xF700  # added to a byte
_FIRST, _LAST = "\uf780", "\uf7ff"
_PRIVATE = re.compile(f"[{_FIRST}-{_LAST}]")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]')
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,16}$")

# The names that Monaco, the editor of VibeTunnel's client, has for languages; ours has the same.
_LANGUAGES = {
    "bash": "sh bash zsh",
    "bat": "bat cmd",
    "c": "c h",
    "cpp": "cc cpp cxx hpp hh",
    "csharp": "cs",
    "css": "css",
    "dart": "dart",
    "dockerfile": "dockerfile",
    "elixir": "ex exs",
    "go": "go",
    "graphql": "graphql gql",
    "html": "html htm vue svelte",
    "ini": "ini toml cfg conf properties",
    "java": "java",
    "javascript": "js jsx mjs cjs",
    "json": "json jsonc webmanifest",
    "kotlin": "kt kts",
    "less": "less",
    "lua": "lua",
    "markdown": "md markdown",
    "objective-c": "m mm",
    "perl": "pl pm",
    "php": "php",
    "powershell": "ps1",
    "python": "py pyi pyx pxd",
    "r": "r",
    "ruby": "rb",
    "rust": "rs",
    "scala": "scala",
    "scss": "scss sass",
    "shell": "fish",
    "sql": "sql",
    "swift": "swift",
    "typescript": "ts tsx mts cts",
    "xml": "xml svg xsl plist",
    "yaml": "yaml yml",
}
_BY_ENDING = {ending: language for language, endings in _LANGUAGES.items() for ending in endings.split()}


def text_of(name: bytes) -> str:
    """The text of a name or path."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        text = name.decode(errors="surrogateescape")
    else:
        if _PRIVATE.search(text) is None:
            return text
    return "".join(
        chr(_SHIFT + ord(each) - 0xDC00)
        if "\udc80" <= each <= "\udcff"
        else "".join(chr(_SHIFT + byte) for byte in each.encode())
        if _FIRST <= each <= _LAST
        else each
        for each in text
    )


def bytes_of(text: str) -> bytes:
    """The name or path that text_of() shows as `text`. Raises ValueError for text that no name has."""
    if "\0" in text:
        raise ValueError("a NUL")
    if _PRIVATE.search(text) is None:
        return text.encode()  # UnicodeEncodeError, for a lone surrogate, is a ValueError
    return b"".join(bytes([ord(each) - _SHIFT]) if _FIRST <= each <= _LAST else each.encode() for each in text)


def safe_name(given: str, otherwise: str = "upload") -> str:
    """A name for a new file: the last part of the given path, without what could mislead a user or a program.

    No control, invisible or direction characters, none that Windows refuses, no leading dot, dash or space, and at
    most MAX_NAME bytes, of which the ending is kept.
    """
    last = re.split(r"[/\\]", given)[-1].encode(errors="replace").decode()
    name = _PRIVATE.sub("_", _UNSAFE.sub("_", last)).strip(" ").lstrip(".-~ ").rstrip(". ")
    if not name.strip("_"):
        name = otherwise
    if _WINDOWS.match(name):
        name = f"_{name}"
    ending = extension(name)
    room = MAX_NAME - 16 - len(ending)  # 16: for the number that tells it from others of the same name
    stem = name.removesuffix(ending).encode()[:room].decode(errors="ignore")
    return stem + ending


def in_order(name: str) -> str:
    """The name without characters that show others in another order: with them, `exe.gpj` reads `jpg.exe`."""
    return _DIRECTIONS.sub("_", name)


def misleading(name: str) -> bool:
    """Whether a name has what safe_name() would replace: it could mislead a user or a program."""
    return _UNSAFE.search(name) is not None


def numbered(name: str, number: int) -> str:
    """`a (2).txt`; the name itself for 1."""
    ending = extension(name)
    return name if number == 1 else f"{name.removesuffix(ending)} ({number}){ending}"


def extension(name: str) -> str:
    """The ending with its dot, `.png`; "" for none, or for one that is not plain letters and digits."""
    found = _EXTENSION.search(name)
    return found[0] if found and found.start() else ""


def media_type(name: str) -> str:
    """The media type that the ending suggests; that of bytes for a compressed file (`a.pdf.gz`)."""
    kind, encoding = mimetypes.guess_type(name, strict=False)
    return BINARY if kind is None or encoding is not None else kind


def language(name: str) -> str:
    """The language of a source file by its ending; `plaintext` for others."""
    return _BY_ENDING.get(name.lower().rpartition(".")[2], "plaintext")
