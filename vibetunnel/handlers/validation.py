"""From bytes to a typed struct, or to an error that names the field. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
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
        raise _explained(str(error), _decoded(body), "body", shape) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        wrong = _wrong_byte(body)
        # From msgspec 0.23 on it is the text that says so.
        if wrong is not None and (isinstance(error, UnicodeDecodeError) or "UTF-8" in str(error)):
            raise InvalidField("body", "UTF-8", f"the byte {wrong:#04x} in a text") from None
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
        raise _explained(str(error), values, "query", shape) from None


def _wrong_byte(body: bytes) -> int | None:
    """The first that is not UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return body[error.start]
    return None


def _decoded(body: bytes) -> Any:  # Any: whatever JSON can be
    """The body as it came; None for one that is malformed behind the place where its shape went wrong."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _explained(message: str, value: Any, whole: str, shape: type[msgspec.Struct]) -> InvalidField:  # Any: as above
    """msgspec's sentence, turned round so that the field comes first and what came is said."""
    where = _WHERE.fullmatch(message)
    assert where is not None
    what, path = where["what"], _named(value, where["path"] or "").lstrip(".")
    if missing := _MISSING.fullmatch(what):
        return InvalidField(f"{path}.{missing['field']}".lstrip("."), "a value", "none")
    field = path or whole
    found = _follow(value, f".{path}")
    if expected := _EXPECTED.fullmatch(what):
        kind = (expected["got"] or "another").replace("`", "")
        return InvalidField(field, expected["expected"].replace("`", "").removesuffix(" | null"), _shown(found, kind))
    if what.startswith("Invalid enum value"):
        return InvalidField(field, listed(_choices(shape, path)), _shown(found))
    if what == "Number out of range":
        return InvalidField(field, "a number within its range", "one far outside")
    return InvalidField(field, "another value", f"{_shown(found)} ({what.replace('`', '')})")


def _follow(value: Any, path: str) -> Any:
    for name, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", path):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):  # `[...]`: some key, msgspec does not say which
            return None
    return value


def _named(value: Any, path: str) -> str:  # Any: as above
    """`path` with the key in it where msgspec only says `[...]`, as it does for a dict of texts."""
    before, some_key, after = path.partition("[...]")
    entries = _follow(value, before)
    if not some_key or not isinstance(entries, dict):
        return path
    return f"{before}.{next((key for key, each in entries.items() if not isinstance(each, str)), '')[:40]}{after}"


def _choices(shape: type[msgspec.Struct], name: str) -> list[str]:
    """The texts that a field may have."""
    for each in msgspec.structs.fields(shape):
        if each.encode_name == name:
            info = msgspec.inspect.type_info(each.type)
            info = info.type if isinstance(info, msgspec.inspect.Metadata) else info
            kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
            return [str(v) for kind in kinds if isinstance(kind, msgspec.inspect.LiteralType) for v in kind.values]
    return []


def listed(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _shown(value: Any, otherwise: str = "another") -> str:  # Any: as above
    return _brief(json.dumps(value, ensure_ascii=False)) if isinstance(value, (bool, int, float, str)) else otherwise


def _brief(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
