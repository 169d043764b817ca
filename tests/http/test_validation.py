"""A wrong value in a body or a query is answered with a sentence that names the field.

msgspec's own sentences are pinned here, since the server parses them: a version that words them otherwise fails here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from vibetunnel.errors import InvalidField
from vibetunnel.handlers.routes import ROUTES
from vibetunnel.handlers.validation import decode_body, decode_query, listed


class Inner(msgspec.Struct):
    number: int
    choice: Literal["p", "q"] = "p"


class Shape(msgspec.Struct, kw_only=True):
    whole: int = 0
    bounded: Annotated[int, Meta(ge=1, le=5)] = 1
    maybe: Annotated[int, Meta(ge=1)] | None = None
    text: str = ""
    short: Annotated[str, Meta(min_length=1, max_length=3)] = "a"
    given: str | UnsetType = UNSET
    flag: bool = False
    texts: list[str] = []
    some: Annotated[list[str], Meta(min_length=1)] | None = None
    either: list[str] | str | None = None
    table: dict[str, str] = {}
    choice: Literal["x", "y", "z"] = "x"
    optional: Literal["x", "y"] | None = None
    choices: list[Literal["x", "y"]] = []
    inner: Inner | None = None


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
    (b'{"short": ""}', "Expected `str` of length >= 1 - at `$.short`", 'short: expected str of length >= 1, got ""'),
    (
        b'{"short": "abcd"}',
        "Expected `str` of length <= 3 - at `$.short`",
        'short: expected str of length <= 3, got "abcd"',
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
FIELDS = [(shape, field) for shape in SHAPES for field in msgspec.structs.fields(shape)]


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
