"""Decodes a body or a query into a typed struct, or raises an error that names the field. Pure.

msgspec says where and why a value is wrong in a sentence only, so this module parses its sentences.
tests/http/test_validation.py pins their wording.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from vibetunnel.errors import InvalidField

T = TypeVar("T", bound=msgspec.Struct)

LONG = 64 * 1024  # bytes of a body; a longer one is not decoded a second time, to show the wrong value
PART = 500  # characters at each end of msgspec's sentence that are read

_WHERE = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*?)`)?", re.DOTALL)
_EXPECTED = re.compile(r"Expected (?P<expected>.*?)(?:, got (?P<got>.*))?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_NO_CHOICE = re.compile(r"Invalid enum value .*", re.DOTALL)
_OUT_OF_RANGE = "Number out of range"

_INDEX = re.compile(r"\[\d+\]")


def decode_body(body: bytes, shape: type[T]) -> T:
    """Return the struct in a JSON body. Raises InvalidField."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise _explained(str(error), _decoded(body), "body", shape) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        wrong = _wrong_byte(body)
        # Up to msgspec 0.22 a UnicodeDecodeError, from 0.23 on a DecodeError whose sentence says so.
        if wrong is not None and (isinstance(error, UnicodeDecodeError) or "UTF-8" in str(error)):
            raise InvalidField("body", "UTF-8", f"the byte {wrong:#04x} in a text") from None
        raise InvalidField("body", f"JSON: {_brief(str(error)).removeprefix('JSON is malformed: ')}") from None


def decode_query(arguments: Mapping[str, list[bytes]], shape: type[T]) -> T:
    """Return the struct in a query. If a parameter is there twice, the last one counts. Raises InvalidField."""
    values: dict[str, str] = {}
    for name, given in arguments.items():
        try:
            values[name] = given[-1].decode()
        except UnicodeDecodeError:
            raise InvalidField(name[:40], "UTF-8", "other bytes") from None
    try:
        return msgspec.convert(values, type=shape, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(str(error), values, "query", shape) from None


def _wrong_byte(body: bytes) -> int | None:
    """The first byte that is not UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return body[error.start]
    return None


def _decoded(body: bytes) -> Any:  # Any: any JSON value
    """The body without its types; None if it is long, or malformed after the value that has the wrong type."""
    if len(body) > LONG:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _explained(message: str, value: Any, whole: str, shape: type[msgspec.Struct]) -> InvalidField:  # Any: as above
    """Turn msgspec's sentence into ours, which starts with the field and ends with the value."""
    if len(message) > 2 * PART:  # it repeats a wrong choice, whatever its length; the path is at the end
        message = message[:PART] + message[-PART:]
    where = _WHERE.fullmatch(message)
    assert where is not None  # the pattern matches any text
    what, path = where["what"], _named(value, where["path"] or "").lstrip(".")
    if missing := _MISSING.fullmatch(what):
        return InvalidField(f"{path}.{missing['field']}".lstrip("."), "a value", "none")
    field = path or whole
    found = _follow(value, f".{path}")
    if expected := _EXPECTED.fullmatch(what):
        kind = (expected["got"] or "").replace("`", "")
        return InvalidField(field, expected["expected"].replace("`", "").removesuffix(" | null"), _shown(found, kind))
    if _NO_CHOICE.fullmatch(what) and (choices := _choices(shape, path)):
        return InvalidField(field, listed(choices), _shown(found))
    if what == _OUT_OF_RANGE:
        return InvalidField(field, "a number within its range", "one outside of it")
    return InvalidField(field, "a valid value", _shown(found))


def _follow(value: Any, path: str) -> Any:
    for name, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", path):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):  # `[...]`: a key that msgspec does not name
            return None
    return value


def _named(value: Any, path: str) -> str:  # Any: as above
    """`path` with the key of a dict of texts, for which msgspec says `[...]`."""
    before, some_key, after = path.partition("[...]")
    entries = _follow(value, before)
    if not some_key or not isinstance(entries, dict):
        return path
    return f"{before}.{next((key for key, each in entries.items() if not isinstance(each, str)), '')[:40]}{after}"


def _choices(shape: type[msgspec.Struct], path: str) -> list[str]:
    """The texts that are valid for a field, or for the items of a list."""
    name = _INDEX.sub("", path)
    for each in msgspec.structs.fields(shape):
        if each.encode_name == name:
            return _texts(msgspec.inspect.type_info(each.type))
    return []


def _texts(info: msgspec.inspect.Type) -> list[str]:
    match info:
        case msgspec.inspect.Metadata(type=inner):
            return _texts(inner)
        case msgspec.inspect.ListType(item_type=inner):
            return _texts(inner)
        case msgspec.inspect.UnionType(types=kinds):
            return [text for kind in kinds for text in _texts(kind)]
        case msgspec.inspect.LiteralType(values=values):
            return [str(each) for each in values]
        case _:
            return []


def listed(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _shown(value: Any, kind: str = "") -> str:  # Any: as above
    """The value, or its kind if it is not short. kind: msgspec's word for it, "" if it says none."""
    if isinstance(value, (bool, int, float, str)):
        return _brief(json.dumps(value, ensure_ascii=False))
    return kind or (f"array of length {len(value)}" if isinstance(value, list) else "another")


def _brief(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
