"""The engine's C files call only files below them, in the order that the head of ext/vt/vt_state.h declares."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[2] / "ext" / "vt"

_NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
_WORD = re.compile(r"\b[A-Za-z_]\w*")
_FUNCTION = re.compile(r"(\w+)\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*$")
_DATA = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)*=\s*$")


def declared_order(header: str) -> list[str]:
    """The files of the layers, lowest first: `   name    vt_a vt_b` in the first comment."""
    comment = header[: header.index("*/")]
    return [word for line in re.findall(r"^   \w+ +((?:vt\w* ?)+)$", comment, re.MULTILINE) for word in line.split()]


def definitions(source: str) -> dict[str, tuple[bool, set[str]]]:
    """Name of each function and constant that has a body -> whether it is static, and the words of its body."""
    code = _DIRECTIVE.sub("", source)
    found = {}
    depth = begin = body = 0
    name = None
    for brace in re.finditer(r"[{};]", code):
        if brace[0] == "{":
            if not depth:
                head, body = code[begin : brace.start()], brace.end()
                match = _FUNCTION.search(head) or _DATA.search(head)
                name = match and (match[1], bool(re.search(r"\bstatic\b", head)))
            depth += 1
        elif brace[0] == "}":
            depth -= 1
            if not depth and name:
                found[name[0]] = name[1], set(_WORD.findall(code[body : brace.start()]))
                name = None
        if not depth:
            begin = brace.end()
    return found


def complaints(order: Sequence[str], sources: Mapping[str, str]) -> list[str]:
    """The faults of the layers. sources: file name -> text, of C files and headers."""
    layer = {name: number for number, name in enumerate(order)}
    stems = [Path(name).stem for name in sources if name.endswith(".c")]
    wrong = [f"{name} is not listed once" for name in {*stems, *order} if (name in stems) + order.count(name) != 2]
    code = {name: _NOT_CODE.sub(" ", text) for name, text in sources.items()}
    defined = {name: definitions(text) for name, text in code.items()}
    inline = {
        word: uses for name in sources if name.endswith(".h") for word, (_, uses) in defined[name].items()
    }  # a file that calls one of these calls the functions inside it
    home = {
        word: Path(name).stem
        for name in sources
        if name.endswith(".c")
        for word, (static, _) in defined[name].items()
        if not static
    }
    statics = sorted(
        (word, name) for name in sources if name.endswith(".c") for word, (own, _) in defined[name].items() if own
    )
    wrong += [
        f"{one} is static in {first} and {second}" for (one, first), (two, second) in pairwise(statics) if one == two
    ]
    for name in sources:
        stem = Path(name).stem
        if stem not in layer:
            continue
        included = [Path(word).stem for word in re.findall(r'#include "([^"]+)"', sources[name])]
        wrong += [f"{name} includes {word}.h" for word in included if layer.get(word, 0) > layer[stem]]
        if name.endswith(".h"):
            continue
        used = set(_WORD.findall(code[name]))
        while more := {word for one in used & inline.keys() for word in inline[one]} - used:
            used |= more
        own = {word for word, (static, _) in defined[name].items() if static}
        wrong += [
            f"{stem} uses {word} of {home[word]}"
            for word in sorted((used & home.keys()) - own)
            if layer.get(home[word], 0) > layer[stem]
        ]
    return wrong


def test_files_call_only_functions_of_files_below_them() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in ENGINE.glob("vt*.[ch]")}
    order = declared_order(sources["vt_state.h"])
    assert order[0] == "vt_unicode"
    assert order[-1] == "vt"
    assert complaints(order, sources) == []


LOW = "int vt_low(int n)\n{\n    return n;\n}\n"
HIGH = "int vt_high(void)\n{\n    return vt_low(1);\n}\n"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"low.c": LOW + '/* vt_high() */ const char *x = "vt_high";\n'}, []),
        ({"low.c": LOW.replace("n;", "vt_high();")}, ["low uses vt_high of high"]),
        ({"low.c": LOW + "#define AGAIN vt_high()\n"}, ["low uses vt_high of high"]),
        (
            {
                "low.c": LOW.replace("n;", "call();"),
                "state.h": "static inline int call(void)\n{\n    return vt_high();\n}\n",
            },
            ["low uses vt_high of high"],
        ),
        (
            {"low.c": LOW.replace("n;", "table[n];"), "high.c": HIGH + "const int table[] = {1};\n"},
            ["low uses table of high"],
        ),
        ({"low.c": '#include "high.h"\n' + LOW}, ["low.c includes high.h"]),
        (
            {"low.c": "static int one(void)\n{\n}\n", "high.c": "static int one(void)\n{\n}\n"},
            ["one is static in high.c and low.c"],
        ),
        ({"more.c": LOW.replace("vt_low", "vt_more")}, ["more is not listed once"]),
    ],
)
def test_a_call_that_breaks_the_layers_is_found(changed: dict[str, str], expected: list[str]) -> None:
    assert complaints(["low", "high"], {"low.c": LOW, "high.c": HIGH, "high.h": "", **changed}) == expected
