"""Names of files: each has one text, and what clients call a file becomes a safe name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibetunnel.files.names import MAX_NAME, bytes_of, extension, language, media_type, numbered, safe_name, text_of


@given(st.binary(max_size=80).filter(lambda name: b"\0" not in name))
def test_every_name_has_a_text_that_leads_back_to_it(name: bytes) -> None:
    text = text_of(name)
    assert json.loads(json.dumps(text).encode()) == text
    text.encode()  # is UTF-8
    assert bytes_of(text) == name


@given(st.text(max_size=40).filter(lambda text: "\0" not in text))
def test_a_name_in_utf8_is_its_own_text(text: str) -> None:
    if any("\ud800" <= each <= "\udfff" for each in text):
        with pytest.raises(ValueError, match="surrogates"):
            bytes_of(text)
    elif not any("\uf780" <= each <= "\uf7ff" for each in text):
        assert text_of(text.encode()) == text


def test_a_nul_is_in_no_name() -> None:
    with pytest.raises(ValueError, match="NUL"):
        bytes_of("a\0b")


@given(st.text(max_size=600))
def test_a_safe_name_is_one(text: str) -> None:
    name = safe_name(text)
    raw = name.encode()
    assert 0 < len(raw) <= MAX_NAME
    assert b"/" not in raw
    assert b"\0" not in raw
    assert name not in (".", "..")
    assert not name.startswith((".", "-", "~", " "))
    assert not any(each < " " or "\x7f" <= each < "\xa0" for each in name)
    assert safe_name(name) == name
    assert len(numbered(name, 1000).encode()) <= MAX_NAME


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("a.txt", "a.txt"),
        ("C:\\fakepath\\a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        (".bashrc", "bashrc"),
        ("..", "upload"),
        ("", "upload"),
        ("nul.txt", "_nul.txt"),
        ("ä ö.PNG", "ä ö.PNG"),
        ("a\u202egpj.exe", "a_gpj.exe"),
    ],
)
def test_safe_names(called: str, name: str) -> None:
    assert safe_name(called) == name


def test_a_number_stands_before_the_ending() -> None:
    assert [numbered("a.tar.gz", each) for each in (1, 2)] == ["a.tar.gz", "a.tar (2).gz"]
    assert numbered("a", 3) == "a (3)"


def test_endings_and_languages() -> None:
    assert [extension(each) for each in ("a.png", "a", ".png", "a.", "a.b c", "a.é")] == [".png", "", "", "", "", ""]
    assert [language(each) for each in ("a.py", "A.TSX", "Dockerfile", "a")] == [
        "python", "typescript", "dockerfile", "plaintext",
    ]  # fmt: skip


def test_a_compressed_file_is_bytes() -> None:
    assert [media_type(each) for each in ("a.pdf", "a.pdf.gz", "a.svgz")] == [
        "application/pdf",
        "application/octet-stream",
        "application/octet-stream",
    ]
