"""A wrong value in a body or a query is answered with a sentence that names the field.

msgspec's own sentences are pinned here, since the server parses them: a version that words them otherwise fails here.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from vibetunnel.errors import InvalidField
from vibetunnel.handlers import schemas
from vibetunnel.handlers.routes import ROUTES
from vibetunnel.handlers.validation import Given, decode_body, decode_query, listed


class Inner(Given):
    number: int
    choice: Literal["p", "q"] = "p"


class Shape(Given, kw_only=True):
    whole: int = 0
    bounded: Annotated[int, Meta(ge=1, le=5)] = 1
    maybe: Annotated[int, Meta(ge=1)] | None = None
    text: str = ""
    short: Annotated[str, Meta(min_length=1, max_length=3)] = "a"
    given: str | UnsetType = UNSET
    flag: bool = False
    texts: list[str] = msgspec.field(default_factory=list)
    some: Annotated[list[str], Meta(min_length=1)] | None = None
    either: list[str] | str | None = None
    table: dict[str, str] = msgspec.field(default_factory=dict)
    choice: Literal["x", "y", "z"] = "x"
    optional: Literal["x", "y"] | None = None
    choices: list[Literal["x", "y"]] = msgspec.field(default_factory=list)
    inner: Inner | None = None
    coded: Annotated[str, Meta(pattern="^[ab]+$", description="a and b only")] = "a"
    coloured: Annotated[str, Meta(pattern="^[rg]$")] = "r"
    unique: uuid.UUID | None = None
    entries: dict[Annotated[str, Meta(pattern="^[a-z]+$", description="small letters")], int] = msgspec.field(
        default_factory=dict
    )
    word: Annotated[str, Meta(min_length=8, extra_json_schema={"format": "password"})] = "x" * 8
    anything: Any = None


class OneOf(Given, kw_only=True):
    exactly_one: ClassVar = ("text", "flag", "number")

    text: str | None = None
    flag: bool = False
    number: int | UnsetType = UNSET


# body, msgspec's sentence, ours
SENTENCES = [
    (b'{"whole": "a"}', "Expected `int`, got `str` - at `$.whole`", 'whole: expected int, got "a"'),
    (b'{"whole": 1.5}', "Expected `int`, got `float` - at `$.whole`", "whole: expected int, got 1.5"),
    (b'{"whole": null}', "Expected `int`, got `null` - at `$.whole`", "whole: expected int, got null"),
    (
        b'{"whole": 1e400}',
        "Number out of range - at `$.whole`",
        "whole: expected a number within its range, got one outside of it",
    ),
    (b'{"bounded": 0}', "Expected `int` >= 1 - at `$.bounded`", "bounded: expected int >= 1, got 0"),
    (b'{"bounded": 6}', "Expected `int` <= 5 - at `$.bounded`", "bounded: expected int <= 5, got 6"),
    (b'{"maybe": "a"}', "Expected `int | null`, got `str` - at `$.maybe`", 'maybe: expected int, got "a"'),
    (b'{"maybe": 0}', "Expected `int` >= 1 - at `$.maybe`", "maybe: expected int >= 1, got 0"),
    (b'{"text": {}}', "Expected `str`, got `object` - at `$.text`", "text: expected str, got object"),
    (b'{"short": ""}', "Expected `str` of length >= 1 - at `$.short`", 'short: expected at least 1 characters, got ""'),
    (
        b'{"short": "abcd"}',
        "Expected `str` of length <= 3 - at `$.short`",
        'short: expected at most 3 characters, got "abcd"',
    ),
    (b'{"given": null}', "Expected `str`, got `null` - at `$.given`", "given: expected str, got null"),
    (b'{"flag": 1}', "Expected `bool`, got `int` - at `$.flag`", "flag: expected bool, got 1"),
    (b'{"texts": "a"}', "Expected `array`, got `str` - at `$.texts`", 'texts: expected array, got "a"'),
    (b'{"texts": ["a", 5]}', "Expected `str`, got `int` - at `$.texts[1]`", "texts[1]: expected str, got 5"),
    (
        b'{"some": []}',
        "Expected `array` of length >= 1 - at `$.some`",
        "some: expected array of length >= 1, got array of length 0",
    ),
    (
        b'{"either": 5}',
        "Expected `str | array | null`, got `int` - at `$.either`",
        "either: expected str | array, got 5",
    ),
    (b'{"table": []}', "Expected `object`, got `array` - at `$.table`", "table: expected object, got array"),
    (b'{"table": {"a": "b", "c": 5}}', "Expected `str`, got `int` - at `$.table[...]`", "table.c: expected str, got 5"),
    (b'{"choice": "w"}', "Invalid enum value 'w' - at `$.choice`", 'choice: expected x, y or z, got "w"'),
    (b'{"choice": 1}', "Expected `str`, got `int` - at `$.choice`", "choice: expected str, got 1"),
    (b'{"optional": "w"}', "Invalid enum value 'w' - at `$.optional`", 'optional: expected x or y, got "w"'),
    (b'{"choices": ["x", "w"]}', "Invalid enum value 'w' - at `$.choices[1]`", 'choices[1]: expected x or y, got "w"'),
    (
        b'{"inner": {}}',
        "Object missing required field `number` - at `$.inner`",
        "inner.number: expected a value, got none",
    ),
    (
        b'{"inner": {"number": "a"}}',
        "Expected `int`, got `str` - at `$.inner.number`",
        'inner.number: expected int, got "a"',
    ),
    # The choices of a nested struct are not looked up: the sentence is the one for what is not known.
    (
        b'{"inner": {"number": 1, "choice": "w"}}',
        "Invalid enum value 'w' - at `$.inner.choice`",
        'inner.choice: expected a valid value, got "w"',
    ),
    (
        b'{"coded": "abc"}',
        "Expected `str` matching regex '^[ab]+$' - at `$.coded`",
        'coded: expected a and b only, got "abc"',
    ),
    (
        b'{"coloured": "b"}',
        "Expected `str` matching regex '^[rg]$' - at `$.coloured`",
        "coloured: expected str matching regex '^[rg]$', got \"b\"",
    ),
    (b'{"unique": "x"}', "Invalid UUID - at `$.unique`", 'unique: expected a UUID, got "x"'),
    (
        b'{"entries": {"a": 1, "B": 2}}',
        "Expected `str` matching regex '^[a-z]+$' - at `key` in `$.entries`",
        "entries: expected small letters",
    ),
    (
        b'{"entries": {"a": 1, "b": 2.5}}',
        "Expected `int`, got `float` - at `$.entries[...]`",
        "entries.b: expected int, got 2.5",
    ),
    (b'{"word": "secret"}', "Expected `str` of length >= 8 - at `$.word`", "word: expected at least 8 characters"),
    (b'{"word": 12345678}', "Expected `str`, got `int` - at `$.word`", "word: expected str"),
    (b'{"flgs": 1}', "Object contains unknown field `flgs`", "Unknown field flgs; did you mean flag?"),
    (b'{"FLAG_": 1}', "Object contains unknown field `FLAG_`", "Unknown field FLAG_; did you mean flag?"),
    (b'{"qqqq": 1}', "Object contains unknown field `qqqq`", "Unknown field qqqq"),
    (
        b'{"inner": {"number": 1, "nmber": 1}}',
        "Object contains unknown field `nmber` - at `$.inner`",
        "Unknown field inner.nmber",
    ),
    (b"[]", "Expected `object`, got `array`", "body: expected object, got array"),
    # What comes after the wrong value is malformed, so the value cannot be shown.
    (b'{"whole": "a", ', "Expected `int`, got `str` - at `$.whole`", "whole: expected int, got str"),
]


@pytest.mark.parametrize(("body", "theirs", "ours"), SENTENCES)
def test_each_sentence_of_msgspec_becomes_one_that_begins_with_the_field(body: bytes, theirs: str, ours: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(body, type=Shape)
    assert str(raised.value) == theirs
    with pytest.raises(InvalidField) as caught:
        decode_body(body, Shape)
    assert str(caught.value) == ours


@pytest.mark.parametrize("number", [b"24.0", b"24e0", b"2.4e1", b"240e-1", b"24.000", b"24"])
def test_a_whole_number_may_be_written_as_a_float(number: bytes) -> None:
    """JSON Schema has one number type: 24.0 is an integer."""
    assert decode_body(b'{"whole": %b, "table": {"a": "b"}}' % number, Shape).whole == 24
    assert decode_body(
        b'{"inner": {"number": %b}, "whole": %b, "maybe": %b}' % (number, number, number), Shape
    ) == Shape(inner=Inner(24), whole=24, maybe=24)
    assert decode_query({"whole": [number]}, Shape).whole == 24


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (b"24.5", "whole: expected int, got 24.5"),
        (b"1e400", "whole: expected a number within its range, got one outside of it"),
        (b"true", "whole: expected int, got true"),
        (b'"24"', 'whole: expected int, got "24"'),
        (b"NaN", "body: expected JSON: invalid character (byte 10)"),
        (b"Infinity", "body: expected JSON: invalid character (byte 10)"),
    ],
)
def test_other_numbers_are_no_integers(number: bytes, said: str) -> None:
    with pytest.raises(InvalidField) as caught:
        decode_body(b'{"whole": %b}' % number, Shape)
    assert str(caught.value) == said


def test_a_whole_float_has_to_be_within_the_bounds() -> None:
    for number in (b"6.0", b"0.0", b"1e300", b"-1e300"):
        with pytest.raises(InvalidField, match=r"^bounded: expected int [<>]= "):
            decode_body(b'{"bounded": %b}' % number, Shape)


@pytest.mark.parametrize(
    "body", [b'{"text": ""}', b'{"flag": true}', b'{"number": 0}', b'{"text": null, "number": 1.0}']
)
def test_one_of_the_fields_that_exclude_each_other_is_given(body: bytes) -> None:
    decode_body(body, OneOf)


@pytest.mark.parametrize(
    ("body", "got"),
    [
        (b"{}", "none"),
        (b'{"text": null, "flag": false}', "none"),
        (b'{"text": "a", "flag": true, "number": 0}', "text and flag and number"),
    ],
)
def test_none_and_more_than_one_of_them_are_refused(body: bytes, got: str) -> None:
    with pytest.raises(InvalidField) as caught:
        decode_body(body, OneOf)
    assert str(caught.value) == f"text, flag, number: expected exactly one of them, got {got}"


def test_a_missing_field_of_the_body_is_named() -> None:
    with pytest.raises(InvalidField, match=r"^number: expected a value, got none$"):
        decode_body(b"{}", Inner)


@pytest.mark.parametrize(
    ("body", "ours"),
    [
        (b"", "body: expected JSON: Input data was truncated"),
        (b"{", "body: expected JSON: Input data was truncated"),
        (b'{"whole": 1}x', "body: expected JSON: trailing characters (byte 13)"),
        (b'{"text": "\xff"}', "body: expected UTF-8, got the byte 0xff in a text"),
        (b"\xff", "body: expected JSON: invalid character (byte 0)"),
    ],
)
def test_invalid_json_is_named_as_the_error(body: bytes, ours: str) -> None:
    with pytest.raises(InvalidField) as caught:
        decode_body(body, Shape)
    assert str(caught.value) == ours


@pytest.mark.parametrize(
    ("query", "ours"),
    [
        ({"whole": [b"a"]}, 'whole: expected int, got "a"'),
        ({"bounded": [b"3", b"9"]}, 'bounded: expected int <= 5, got "9"'),
        ({"flag": [b"a"]}, 'flag: expected bool, got "a"'),
        ({"choice": [b"w"]}, 'choice: expected x, y or z, got "w"'),
        ({"text": [b"\xff"]}, "text: expected UTF-8, got other bytes"),
    ],
)
def test_a_wrong_parameter_is_named(query: dict[str, list[bytes]], ours: str) -> None:
    with pytest.raises(InvalidField) as caught:
        decode_query(query, Shape)
    assert str(caught.value) == ours


def test_a_sentence_that_is_not_known_still_names_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(body: bytes, **types: object) -> object:
        if types:
            raise msgspec.ValidationError("Wrong in a new way - at `$.whole`")
        return {"whole": 5}

    monkeypatch.setattr(msgspec.json, "decode", decode)
    with pytest.raises(InvalidField, match=r"^whole: expected a valid value, got 5$"):
        decode_body(b"", Shape)


SHAPES = dict.fromkeys(  # not a set: each worker of xdist has to collect the same order
    shape for route in ROUTES for each in route.operations.values() for shape in (each.body, each.query) if shape
)
FIELDS = [
    (shape, field)
    for shape in SHAPES
    for field in msgspec.structs.fields(shape)
    if field.type is not schemas.Ignored  # any value is right
]


def test_no_request_takes_fields_that_it_does_not_have() -> None:
    assert all(issubclass(shape, Given) and shape.__struct_config__.forbid_unknown_fields for shape in SHAPES)


@pytest.mark.parametrize(
    ("shape", "field"), FIELDS, ids=lambda each: getattr(each, "__name__", getattr(each, "name", ""))
)
def test_a_wrong_value_of_any_field_is_named_and_its_kind_is_known(
    shape: type[msgspec.Struct], field: msgspec.structs.FieldInfo
) -> None:
    said = []
    for wrong in (b"[[]]", b'{"a": 1}', b"-1e400", b'"' + b"x" * 100_000 + b'"', b"true", b"1.5", b"null"):
        body = b'{"%b": %b}' % (field.encode_name.encode(), wrong)
        try:
            decode_body(body, shape)
        except InvalidField as error:
            said.append(error)
    named = [str(each) for each in said if each.field.startswith(field.encode_name)]
    assert named
    assert not any("a valid value" in each for each in named)


def test_words_are_listed_as_one_says_them() -> None:
    assert [listed(each) for each in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a or b", "a, b or c"]
