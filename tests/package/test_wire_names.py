"""The constants of vibetunnel.v1 have the same names and values in Cython, Python, TypeScript and docs/protocol.md."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from vibetunnel import protocol

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/protocol.md"
DERIVED = {"OUTPUT_HEADER", "APPEARANCE_FIELDS"}  # sizes that follow from the fields; other languages have codecs

Constants = dict[str, int]


def unique(pairs: list[tuple[str, str]]) -> Constants:
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), names
    return {name: int(value.replace("_", ""), 0) for name, value in pairs}


def cython(source: str) -> Constants:
    """Every member of an enum."""
    enums = re.findall(r"^cdef enum:.*\n((?: {4}\w.*\n|\n)+)", source, flags=re.MULTILINE)
    members = re.findall(r"^    (\w+) = (\w+)", "".join(enums), flags=re.MULTILINE)
    return {name: value for name, value in unique(members).items() if name not in DERIVED}


def python(source: str) -> Constants:
    """Every name that a module or a class in it sets to a literal integer."""
    module = ast.parse(source)
    bodies = [module.body, *(each.body for each in module.body if isinstance(each, ast.ClassDef))]
    return unique(
        [
            (each.targets[0].id, str(each.value.value))
            for body in bodies
            for each in body
            if isinstance(each, ast.Assign)
            and isinstance(each.targets[0], ast.Name)
            and isinstance(each.value, ast.Constant)
            and isinstance(each.value.value, int)
        ]
    )


def typescript(source: str) -> Constants:
    """Every top-level constant that is a literal integer."""
    return unique(re.findall(r"^(?:export )?const (\w+) = ([\da-fx_]+);", source, flags=re.MULTILINE))


def page(text: str) -> Constants:
    """Every row of a table that begins with a value and a name in capitals."""
    rows = re.findall(r"^\| `(\w+)` \| `([A-Z][A-Z_]+)` \|", text, flags=re.MULTILINE)
    return unique([(name, value) for value, name in rows])


def closes(constants: Constants) -> Constants:
    """The close codes of RFC 6455 in a table. Each file defines those that its code uses."""
    return {name: value for name, value in constants.items() if name.startswith("CLOSE_") and value < 4000}


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("constants", "path"),
    [
        (cython, "ext/wire/v1.pxd"),
        (python, "vibetunnel/protocol.py"),
        (typescript, "vibetunnel/web/src/protocol.ts"),
    ],
    ids=["cython", "python", "typescript"],
)
def test_the_constants_are_those_of_the_page(constants: Callable[[str], Constants], path: str) -> None:
    found, expected = constants(read(path)), page(read(PAGE))
    assert len(expected) >= 40  # the tables have been found
    assert closes(found).items() <= closes(expected).items()
    assert found.items() - closes(found).items() == expected.items() - closes(expected).items()


def test_the_page_has_every_close_code_that_ends_a_connection() -> None:
    standard = closes(cython(read("ext/wire/rfc6455.pxd")))
    del standard["CLOSE_NO_STATUS"]  # the client closed, and gave no code
    assert closes(page(read(PAGE))) == standard


def test_the_example_in_bytes_is_a_session() -> None:
    lines = re.findall(r"^    (server|client)  ((?:[0-9a-f]{2,} ?)+)$", read(PAGE), flags=re.MULTILINE)
    messages = [(sender, bytes.fromhex(text)) for sender, text in lines]
    kinds = []
    for sender, raw in messages:
        message = protocol.decode(raw)
        assert message is not None
        assert protocol.encode(message) == raw
        kinds.append((sender, type(message).__name__))
    assert kinds == [
        ("server", "Hello"),
        ("server", "Access"),
        ("client", "Input"),
        ("server", "Output"),
        ("client", "Ack"),
        ("server", "Exit"),
    ]
