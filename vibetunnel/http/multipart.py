"""The parts of a `multipart/form-data` body (RFC 7578), while it arrives: events in, no part is kept.

python-multipart reads the grammar; this module bounds it, and gives names and types.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

MAX_PARTS = 256

FORM = "multipart/form-data"

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it warns of each malformed body: an answer suffices


class MalformedForm(Exception):
    """The body, or its Content-Type, breaks the grammar or a bound. The message says what was expected."""


@dataclass(frozen=True)
class PartBegin:
    """A part begins.

    field     its name
    filename  as the client calls the file; None: it is a field of text
    """

    field: str
    filename: str | None
    media_type: str


@dataclass(frozen=True)
class PartEnd:
    """The part that began last has ended."""


Event = PartBegin | bytes | PartEnd  # bytes: a piece of the part


class FormReader:
    """Reads one body.

    ended  the last boundary was seen
    """

    def __init__(self, content_type: str) -> None:
        """Raises MalformedForm for another type, or one without a boundary."""
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind.decode("latin-1").strip() != FORM or not boundary:
            raise MalformedForm(f"Content-Type: expected {FORM} with a boundary, got {content_type[:80] or 'none'}")
        self.ended = False
        self._events: list[Event] = []
        self._pieces: list[bytes] = []  # of the part, since the last event
        self._parts = 0
        self._header: list[bytes] = [b"", b""]
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": lambda data, start, end: self._on_header(0, data[start:end]),
                    "on_header_value": lambda data, start, end: self._on_header(1, data[start:end]),
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": lambda data, start, end: self._pieces.append(data[start:end]),
                    "on_part_end": lambda: self._add(PartEnd()),
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise MalformedForm(f"Content-Type: {error}") from error

    def feed(self, data: bytes) -> list[Event]:
        """The events of the next piece of the body. Raises MalformedForm."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise MalformedForm(f"body: expected {FORM}: {error}") from error
        self._add(None)
        events, self._events = self._events, []
        return events

    def _add(self, event: Event | None) -> None:
        """Add an event, after the pieces before it as one."""
        if self._pieces:
            self._events.append(b"".join(self._pieces))
            self._pieces = []
        if event is not None:
            self._events.append(event)

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MalformedForm(f"body: expected at most {MAX_PARTS} parts, got more")
        self._headers = {}

    def _on_header(self, which: int, piece: bytes) -> None:
        self._header[which] += piece

    def _on_header_end(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = [b"", b""]

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b"").decode("latin-1"))
        filename = options.get(b"filename")
        self._add(
            PartBegin(
                options.get(b"name", b"").decode(errors="replace"),
                None if filename is None else filename.decode(errors="replace"),
                self._headers.get(b"content-type", b"").decode("latin-1")[:128],
            )
        )

    def _on_end(self) -> None:
        self.ended = True
