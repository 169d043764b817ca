"""Decodes a body or a query into a typed struct, or raises an error that names the field. Pure.

msgspec says where and why a value is wrong in a sentence only, so this module parses its sentences.
tests/http/test_validation.py pins their wording.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec import UNSET, inspect

from vibetunnel.errors import InvalidField, UnknownField
from vibetunnel.security.passwords import SECRET


class Given(msgspec.Struct, forbid_unknown_fields=True):
    """A body or a query. A field that it does not have is an error.

    exactly_one  fields of which one must be given, and no more; null and false count as not given
    """

    exactly_one: ClassVar[tuple[str, ...]] = ()


T = TypeVar("T", bound=Given)

END = r"$(?!\n)"  # of a pattern that must match a whole text: in Python, `$` alone matches before a last newline too

LONG = 64 * 1024  # bytes of a body; a longer one is not decoded a second time, to show the wrong value
PART = 500  # characters at each end of msgspec's sentence that are read

_WHERE = re.compile(r"(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>.*?)`)?", re.DOTALL)
_EXPECTED = re.compile(r"Expected (?P<expected>.*?)(?:, got (?P<got>.*))?", re.DOTALL)
_NOT_WHOLE = re.compile(r"Expected `([^`]* )?int( [^`]*)?`, got `float`.*", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`", re.DOTALL)
_NO_MATCH = re.compile(r"Expected `str` matching regex .*", re.DOTALL)
_LENGTH = re.compile(r"Expected `str` of length (?P<bound>[<>]=) (?P<count>\d+)")
_NO_CHOICE = re.compile(r"Invalid enum value .*", re.DOTALL)
_OUT_OF_RANGE = "Number out of range"
_NO_UUID = "Invalid UUID"

_LOOKED_AT = 1000  # entries of a dict, among which the wrong one is sought

_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def decode_body(body: bytes, shape: type[T]) -> T:
    """Return the struct in a JSON body. Raises InvalidField."""
    try:
        return _chosen(msgspec.json.decode(body, type=shape))
    except msgspec.ValidationError as error:
        return _chosen(_with_whole_floats(_decoded(body), shape, error))
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
        return _chosen(msgspec.convert(values, type=shape, strict=False))
    except msgspec.ValidationError as error:
        raise _explained(str(error), values, "query", shape) from None


def decode_path(value: str, kind: Any, name: str) -> None:  # Any: a type, as msgspec takes it
    """Check a part of the path. Raises InvalidField."""
    try:
        msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        raise _sentence(str(error), name, value, list(_parts(inspect.type_info(kind)))) from None


def _with_whole_floats(value: Any, shape: type[T], error: msgspec.ValidationError) -> T:  # Any: any JSON value
    """Convert a value that failed with `error`, with 24.0 as an integer, as in JSON Schema. Raises InvalidField."""
    while _NOT_WHOLE.fullmatch(str(error)):
        *before, last = _steps(str(error).rpartition("$")[2].removesuffix("`"))
        inside = _follow(value, before)
        found = _follow(inside, [last])
        if not isinstance(found, float) or not found.is_integer():
            break
        inside[last] = int(found)
        try:
            return msgspec.convert(value, type=shape)
        except msgspec.ValidationError as next_error:
            error = next_error
    raise _explained(str(error), value, "body", shape) from None


def _chosen(given: T) -> T:
    """Return it if exactly one of the fields that exclude each other is given. Raises InvalidField."""
    names = given.exactly_one
    found = [name for name in names if not any(getattr(given, name) is none for none in (None, UNSET, False))]
    if names and len(found) != 1:
        raise InvalidField(", ".join(names), "exactly one of them", " and ".join(found) or "none")
    return given


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
    what, path = where["what"], _named(value, where["path"] or "", shape).lstrip(".")
    if missing := _MISSING.fullmatch(what):
        return InvalidField(f"{path}.{missing['field']}".lstrip("."), "a value", "none")
    if unknown := _UNKNOWN.fullmatch(what):
        known = [] if path else [each.encode_name for each in msgspec.structs.fields(shape)]
        return UnknownField(f"{path}.{unknown['field'][:80]}".lstrip("."), _nearest(unknown["field"], known))
    parts = _parts_of_field(shape, path)
    if where["key"]:
        return _sentence(what, path, UNSET, parts)
    return _sentence(what, path or whole, _follow(value, _steps(f".{path}")), parts)


def _sentence(what: str, field: str, found: Any, parts: list[inspect.Type]) -> InvalidField:  # Any: as above
    """what: msgspec's sentence without the place. parts: of the field's type."""
    kind = ""
    if what == _OUT_OF_RANGE:
        return InvalidField(field, "a number within its range", "one outside of it")
    if _NO_MATCH.fullmatch(what) and (meant := _meaning(parts, what)):
        expected = meant
    elif length := _LENGTH.fullmatch(what):
        expected = f"{'at least' if length['bound'] == '>=' else 'at most'} {length['count']} characters"
    elif match := _EXPECTED.fullmatch(what):
        kind = (match["got"] or "").replace("`", "")
        expected = match["expected"].replace("`", "").removesuffix(" | null")
    elif _NO_CHOICE.fullmatch(what) and (choices := listed(_choices(parts)) or _meaning(parts, what)):
        expected = choices
    elif what == _NO_UUID:
        expected = "a UUID"
    else:
        expected = "a valid value"
    secret = any(_extra(each).get("format") == SECRET["format"] for each in parts)
    return InvalidField(field, expected, None if secret or found is UNSET else _shown(found, kind))


def _steps(path: str) -> list[str | int]:
    return [name or int(index) for name, index in _STEP.findall(path)]


def _follow(value: Any, steps: Sequence[str | int]) -> Any:  # Any: as above
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):  # `[...]`: a key that msgspec does not name
            return None
    return value


def _named(value: Any, path: str, shape: type[msgspec.Struct]) -> str:  # Any: as above
    """`path` with the key of the wrong entry of a dict, for which msgspec says `[...]`."""
    before, some_key, after = path.partition("[...]")
    entries = _follow(value, _steps(before))
    kind = next((each.type for each in msgspec.structs.fields(shape) if f".{each.encode_name}" == before), None)
    if not some_key or not isinstance(entries, dict):
        return path
    for key, each in itertools.islice(entries.items(), _LOOKED_AT):
        try:
            msgspec.convert({key: each}, type=kind)
        except msgspec.ValidationError:
            return f"{before}.{key[:40]}{after}"
    return path


def _nearest(name: str, known: Sequence[str]) -> str:
    """The known name that `name` probably means; "" for none. Case and `_` do not count."""
    by_letters = {each.replace("_", "").lower(): each for each in known}
    found = difflib.get_close_matches(name[:80].replace("_", "").lower(), by_letters, n=1)
    return by_letters[found[0]] if found else ""


def _parts_of_field(shape: type[msgspec.Struct], path: str) -> list[inspect.Type]:
    """The types that the type of a field consists of; those of a nested struct's fields are not looked up."""
    name = re.split(r"[.\[]", path)[0]
    for each in msgspec.structs.fields(shape):
        if each.encode_name == name:
            return list(_parts(inspect.type_info(each.type)))
    return []


def _parts(info: inspect.Type) -> Iterator[inspect.Type]:
    yield info
    match info:
        case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner):
            yield from _parts(inner)
        case inspect.DictType(key_type=key, value_type=inner):
            yield from (*_parts(key), *_parts(inner))
        case inspect.UnionType(types=kinds):
            for kind in kinds:
                yield from _parts(kind)


def _extra(info: inspect.Type) -> dict[str, Any]:  # Any: JSON
    return (info.extra_json_schema or {}) if isinstance(info, inspect.Metadata) else {}


def _meaning(parts: list[inspect.Type], what: str) -> str:
    """What the description of the text with this pattern, or of the number to choose, says; "" for none."""
    for each in parts:
        match each:
            case inspect.Metadata(type=inspect.LiteralType()) if _NO_CHOICE.fullmatch(what):
                return str(_extra(each).get("description", ""))
            case inspect.Metadata(type=inspect.StrType(pattern=pattern)) if pattern and repr(pattern) in what:
                return str(_extra(each).get("description", ""))
    return ""


def _choices(parts: list[inspect.Type]) -> list[str]:
    """The texts to choose from, for a field or for the items of a list."""
    choices = [value for each in parts if isinstance(each, inspect.LiteralType) for value in each.values]
    return [each for each in choices if isinstance(each, str)]


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
