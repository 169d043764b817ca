"""How a terminal's bytes are put on a peer's socket: one class per interface."""

import base64
import json
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator

from benchmarks.chunked import Chunks
from benchmarks.content import Content
from benchmarks.deflate import Inflater
from benchmarks.errors import Wrong
from benchmarks.frames import BINARY, PING, PONG, RESERVED, RSV1, TEXT, Walk, client_frame


class Wire(ABC):
    """One connection's coding. decode() is for the flow, walk and output_in() for a transfer that is looked at later.

    replies   what the last decode() wants sent back
    redraw    bytes of a redraw at the beginning that have not come yet
    inflater  with which decode() undoes permessage-deflate, if that is agreed upon. For the flow only: whole() and
              output_in() count and give what is on the wire
    """

    def __init__(self) -> None:
        self.replies = b""
        self.redraw = 0
        self.inflater: Inflater | None = None

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

    def __init__(self, mask: bytes, redraw: int = 0, *, inflater: Inflater | None = None) -> None:
        super().__init__()
        self.redraw = redraw
        self._mask = mask
        self.inflater = inflater
        self._rest = b""  # of a frame that has not arrived whole
        self._parts: list[bytes] = []  # of a message that has not
        self._compressed = False  # that message

    def encode(self, data: bytes) -> bytes:
        return client_frame(self.input_opcode, self.input(data), self._mask)

    def input(self, data: bytes) -> bytes:
        """Input, as a message carries it."""
        return data

    def message(self, output: bytes) -> bytes:
        """What carries a line of printable ASCII."""
        return output

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
                self._part(first, bytes(buffer[start:end]))
                if first & 0x80:
                    found.append(self.output(self._message()))
        self._rest = bytes(buffer[walk.position :])
        output = b"".join(found)
        self.redraw = max(0, self.redraw - len(output))
        return output

    def _part(self, first: int, payload: bytes) -> None:
        """One frame's share of a message. The message's first frame says whether it is compressed."""
        allowed = 0
        if first & 0x0F:
            allowed = RSV1 if self.inflater else 0
            self._compressed = bool(first & allowed)
        if first & RESERVED & ~allowed:
            raise Wrong(f"frame: expected no reserved bit that was not agreed upon, got {first:#04x}")
        self._parts.append(payload)

    def _message(self) -> bytes:
        message = b"".join(self._parts)
        self._parts.clear()
        return self.inflater.message(message) if self.inflater and self._compressed else message

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

    def message(self, output: bytes) -> bytes:
        return json.dumps(["stdout", output.decode("ascii")]).encode("ascii")

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


class V1Wire(BinaryWire):
    """`vibetunnel.v1` (docs/protocol.md): messages with a type byte. What decode() has given back is acked as drawn.

    A redraw comes out as RIS and its bytes: the client's terminal, which must be of the session's size, begins anew.
    For the flow only: what is looked at later, a transfer, goes the raw way.

    redraws   that have come
    """

    PROTOCOL = "vibetunnel.v1"
    RESET = b"\x1bc"
    _OUTPUT, _REDRAW, _HELLO = 0x01, 0x02, 0x03
    _INPUT, _ACK = b"\x81", b"\x83"
    _REDRAW_HEAD = struct.Struct(">BQQQHHB")
    _HELLO_HEAD = struct.Struct(">BBBHHQQQI")

    def __init__(self, mask: bytes) -> None:
        super().__init__(mask)
        self.redraws = 0
        self._typed = 0  # bytes of input
        self._drawn = self._acked = 0  # offsets of output
        self._window = 0
        self._ack_due = False

    def input(self, data: bytes) -> bytes:
        message = self._INPUT + self._typed.to_bytes(8, "big") + data
        self._typed += len(data)
        return message

    def output(self, message: bytes) -> bytes:
        match message[0]:
            case self._OUTPUT:
                at = int.from_bytes(message[1:9], "big")
                if at != self._drawn:
                    raise Wrong(f"output: expected offset {self._drawn}, got {at}")
                self._drawn = at + len(message) - 9
                return message[9:]
            case self._REDRAW:
                _, self._drawn, *_ = self._REDRAW_HEAD.unpack_from(message)
                self._ack_due = True
                self.redraws += 1
                return self.RESET + message[self._REDRAW_HEAD.size :]
            case self._HELLO:
                _, _, _, _, _, start, _, self._typed, self._window = self._HELLO_HEAD.unpack_from(message)
                self._drawn = self._acked = start
        return b""

    def decode(self, chunk: memoryview) -> bytes:
        output = super().decode(chunk)
        # Half the window is the latest that the protocol allows: no browser is slower. A redraw is acked at once.
        if self._ack_due or self._drawn - self._acked >= max(1, self._window // 2):
            self._acked, self._ack_due = self._drawn, False
            ack = self._ACK + self._drawn.to_bytes(8, "big")
            self.replies += client_frame(BINARY, ack, self._mask)
        return output


class TtydWire(BinaryWire):
    """ttyd's: a type byte, then the payload. The first message that goes in says how large the terminal is.

    resume_every   as its own client in a browser: one that draws all at once sends RESUME after each so many bytes;
                   0: never, for a client that has nothing to do with flow control
    """

    PROTOCOL = "tty"
    RESUME_EVERY = 100_000  # bytes; `limit` in its client
    _OUTPUT, _TITLE, _PREFERENCES = b"0", b"1", b"2"
    _INPUT, _RESUME = b"0", b"3"

    def __init__(self, mask: bytes, resume_every: int = 0) -> None:
        super().__init__(mask)
        self._resume_every = resume_every
        self._drawn = 0  # bytes since the last RESUME
        self._resume_due = 0

    def hello(self, rows: int, cols: int) -> bytes:
        """The first message, which starts the program."""
        size = {"AuthToken": "", "columns": cols, "rows": rows}
        return client_frame(BINARY, json.dumps(size).encode("ascii"), self._mask)

    def input(self, data: bytes) -> bytes:
        return self._INPUT + data

    def output(self, message: bytes) -> bytes:
        kind = message[:1]
        if kind in (self._TITLE, self._PREFERENCES):
            return b""
        if kind != self._OUTPUT:
            raise Wrong(f"ttyd: expected output, got {message[:40]!r}")
        self._drawn += len(message) - 1
        if self._resume_every and self._drawn > self._resume_every:
            self._drawn = 0
            self._resume_due += 1
        return message[1:]

    def decode(self, chunk: memoryview) -> bytes:
        output = super().decode(chunk)
        self.replies += client_frame(BINARY, self._RESUME, self._mask) * self._resume_due
        self._resume_due = 0
        return output

    def whole(self, walk: Walk, buffer: memoryview, end: int, content: Content) -> bool:
        walk.over(buffer, end)
        return walk.payload - walk.messages >= content.size

    def output_in(self, buffer: memoryview, end: int) -> Iterator[bytes | memoryview]:
        for message in super().output_in(buffer, end):  # libwebsockets makes one frame of each message
            yield self.output(bytes(message))


class GottyWire(BinaryWire):
    """gotty's: text frames with a type byte, and base64 both ways, as its own client asks for it."""

    PROTOCOL = "webtty"
    input_opcode = TEXT
    _OUTPUT = b"1"
    _OTHERS = (b"2", b"3", b"4", b"5", b"6")  # pong, title, preferences, reconnect, size of its buffer
    _INPUT, _RESIZE, _ENCODING = b"1", b"3", b"4base64"

    def __init__(self, mask: bytes) -> None:
        super().__init__(mask)
        self._padding = 0  # characters, in the messages of a transfer

    def hello(self, arguments: str, rows: int, cols: int) -> bytes:
        """The first messages: the program's arguments, as in an address; its size; how input will come."""
        first = json.dumps({"Arguments": arguments, "AuthToken": ""}).encode("ascii")
        size = self._RESIZE + json.dumps({"columns": cols, "rows": rows}).encode("ascii")
        return b"".join(client_frame(TEXT, message, self._mask) for message in (first, size, self._ENCODING))

    def input(self, data: bytes) -> bytes:
        return self._INPUT + base64.b64encode(data)

    def output(self, message: bytes) -> bytes:
        kind = message[:1]
        if kind in self._OTHERS:
            return b""
        try:
            if kind == self._OUTPUT:
                return base64.b64decode(message[1:], validate=True)
        except ValueError:
            pass
        raise Wrong(f"gotty: expected output in base64, got {message[:40]!r}")

    def whole(self, walk: Walk, buffer: memoryview, end: int, content: Content) -> bool:
        if not walk.position:
            self._padding = 0
        while frame := walk.step(buffer, end):
            _, start, stop = frame
            self._padding += bytes(buffer[max(start, stop - 2) : stop]).count(b"=")
        return (walk.payload - walk.messages) // 4 * 3 - self._padding >= content.size

    def output_in(self, buffer: memoryview, end: int) -> Iterator[bytes | memoryview]:
        yield GottyWire(self._mask).decode(buffer[:end])  # most messages are two frames


class GoWire(BinaryWire):
    """VibeTunnel's Go server: text frames with output as it is, and JSON objects with input."""

    input_opcode = TEXT

    def input(self, data: bytes) -> bytes:
        return json.dumps({"type": "input", "data": data.decode("ascii")}).encode("ascii")


class SseWire(Wire):
    """VibeTunnel's Node server: an asciicast event per server-sent event, in a chunked answer; input by a WebSocket."""

    def __init__(self, mask: bytes) -> None:
        super().__init__()
        self._mask = mask
        self._chunks = Chunks()
        self._rest = b""  # of an event that has not arrived whole

    def encode(self, data: bytes) -> bytes:
        return client_frame(TEXT, data, self._mask)

    def decode(self, chunk: memoryview) -> bytes:
        *events, self._rest = (self._rest + self._chunks.decode(chunk)).split(b"\n\n")
        return b"".join(self._output(event) for event in events)

    def _output(self, event: bytes) -> bytes:
        if not event.startswith(b"data: "):  # a comment, or an event of another kind
            return b""
        try:
            match json.loads(event.removeprefix(b"data: ")):
                case [_, "o", str(text)]:
                    return text.encode()
                case [_, str(), str()] | {"version": 2}:  # what is typed, sizes, marks; the header
                    return b""
        except ValueError:
            pass
        raise Wrong(f"node: expected an event of an asciicast, got {event[:80]!r}")

    def whole(self, walk: Walk, buffer: memoryview, end: int, content: Content) -> bool:
        # No event says how long its output is. To parse them costs a hundredth of what the server needs to make them.
        walk.payload += len(self.decode(buffer[walk.position : end]))
        walk.position = end
        return walk.payload >= content.size

    def output_in(self, buffer: memoryview, end: int) -> Iterator[bytes | memoryview]:
        yield SseWire(self._mask).decode(buffer[:end])
