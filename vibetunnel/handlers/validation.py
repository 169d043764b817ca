"""From bytes to a typed struct, or to an error that names the field. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from vibetunnel.errors import InvalidField

T = TypeVar("T", bound=msgspec.Struct)

_WHERE = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*?)`)?", re.DOTALL)
_EXPECTED = re.compile(r"Expected (?P<expected>.*?)(?:, got (?P<got>.*))?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")


def decode_body(body: bytes, shape: type[T]) -> T:
    """Raises InvalidField."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise _explained(str(error), _decoded(body), "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidField("body", "JSON", _brief(str(error))) from None


def decode_query(arguments: Mapping[str, list[bytes]], shape: type[T]) -> T:
    """Of a parameter that is there twice, the last one counts. Raises InvalidField."""
    values: dict[str, str] = {}
    for name, given in arguments.items():
        try:
            values[name] = given[-1].decode()
        except UnicodeDecodeError:
            raise InvalidField(name[:40], "UTF-8", "other bytes") from None
    try:
        return msgspec.convert(values, type=shape, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(str(error), values, "query") from None


def _decoded(body: bytes) -> Any:  # Any: whatever JSON can be
    """The body as it came; None for one that is malformed behind the place where its shape went wrong."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _explained(message: str, value: Any, whole: str) -> InvalidField:  # Any: as above
    """msgspec's sentence, turned round so that the field comes first and what came is said."""
    where = _WHERE.fullmatch(message)
    assert where is not None
    what, path = where["what"], (where["path"] or "").lstrip(".")
    if missing := _MISSING.fullmatch(what):
        return InvalidField(f"{path}.{missing['field']}".lstrip("."), "a value", "none")
    field = path or whole
    found = _follow(value, where["path"] or "")
    if expected := _EXPECTED.fullmatch(what):
        got = expected["got"].replace("`", "") if expected["got"] else _shown(found)
        return InvalidField(field, expected["expected"].replace("`", "").removesuffix(" | null"), got)
    return InvalidField(field, "another value", f"{_shown(found)} ({what.replace('`', '')})")


def _follow(value: Any, path: str) -> Any:
    for name, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", path):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):  # `[...]`: some key, msgspec does not say which
            return None
    return value


def _shown(value: Any) -> str:
    return _brief(json.dumps(value, ensure_ascii=False)) if isinstance(value, (bool, int, float, str)) else "another"


def _brief(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
