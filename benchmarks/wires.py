"""How a terminal's bytes are put on a peer's socket: one class per interface."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator

from benchmarks.content import Content
from benchmarks.errors import Wrong
from benchmarks.frames import BINARY, PING, PONG, TEXT, Walk, client_frame


class Wire(ABC):
    """One connection's coding. decode() is for the flow, walk and output_in() for a transfer that is looked at later.

    replies   what the last decode() wants sent back
    """

    def __init__(self) -> None:
        self.replies = b""

    @abstractmethod
    def encode(self, data: bytes) -> bytes:
        """Input, as it goes out."""

    @abstractmethod
    def decode(self, chunk: memoryview) -> bytes:
        """The output that these next bytes complete."""

    @abstractmethod
    def whole(self, walk: Walk, buffer: memoryview, end: int, content: Content) -> bool:
        """Whether buffer[:end] holds all of `content`, going on where `walk` stands. Costs little."""

    @abstractmethod
    def output_in(self, buffer: memoryview, end: int) -> Iterator[bytes | memoryview]:
        """The output in buffer[:end]."""


class RawWire(Wire):
    """Bytes as they are."""

    def encode(self, data: bytes) -> bytes:
        return data

    def decode(self, chunk: memoryview) -> bytes:
        return bytes(chunk)

    def whole(self, walk: Walk, buffer: memoryview, end: int, content: Content) -> bool:
        return end >= content.size

    def output_in(self, buffer: memoryview, end: int) -> Iterator[bytes | memoryview]:
        yield buffer[:end]


class BinaryWire(Wire):
    """WebSocket; a binary frame is output or input as it is."""

    input_opcode = BINARY

    def __init__(self, mask: bytes) -> None:
        super().__init__()
        self._mask = mask
        self._rest = b""  # of a frame that has not arrived whole
        self._parts: list[bytes] = []  # of a message that has not

    def encode(self, data: bytes) -> bytes:
        return client_frame(self.input_opcode, self.input(data), self._mask)

    def input(self, data: bytes) -> bytes:
        """Input, as a message carries it."""
        return data

    def output(self, message: bytes) -> bytes:
        """What a message prints."""
        return message

    def decode(self, chunk: memoryview) -> bytes:
        buffer = memoryview(self._rest + chunk) if self._rest else chunk
        walk = Walk()
        found = []
        self.replies = b""
        while frame := walk.step(buffer, len(buffer)):
            first, start, end = frame
            if first & 0x0F == PING:
                self.replies += client_frame(PONG, bytes(buffer[start:end]), self._mask)
            elif not first & 0x08:
                self._parts.append(bytes(buffer[start:end]))
                if first & 0x80:
                    found.append(self.output(b"".join(self._parts)))
                    self._parts.clear()
        self._rest = bytes(buffer[walk.position :])
        return b"".join(found)

    def whole(self, walk: Walk, buffer: memoryview, end: int, content: Content) -> bool:
        walk.over(buffer, end)
        return walk.payload >= content.size

    def output_in(self, buffer: memoryview, end: int) -> Iterator[bytes | memoryview]:
        walk = Walk()
        while frame := walk.step(buffer, end):
            first, start, stop = frame
            if not first & 0x08:
                yield buffer[start:stop]


class JsonWire(BinaryWire):
    """terminado's: text frames with an array each, ["stdout", text] one way and ["stdin", text] the other."""

    input_opcode = TEXT
    OVERHEAD = len('["stdout", ""]')

    def input(self, data: bytes) -> bytes:
        return json.dumps(["stdin", data.decode("ascii")]).encode("ascii")

    def output(self, message: bytes) -> bytes:
        kind, *values = json.loads(message)
        if kind == "setup":
            return b""
        if kind != "stdout":
            raise Wrong(f"terminado: expected stdout, got {message!r}")
        return str(values[0]).encode()

    def whole(self, walk: Walk, buffer: memoryview, end: int, content: Content) -> bool:
        walk.over(buffer, end)
        # A newline takes two bytes in JSON, every other character of Content one.
        return walk.payload - self.OVERHEAD * walk.messages >= content.size + content.lines

    def output_in(self, buffer: memoryview, end: int) -> Iterator[bytes | memoryview]:
        for message in super().output_in(buffer, end):  # Tornado's server never fragments
            yield self.output(bytes(message))
