"""How a terminal's bytes are wrapped on a peer's socket: one class per interface."""

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
    """The coding of one connection. decode() is for live output, whole() and output_in() for a transfer checked later.

    replies   bytes that the last decode() wants sent back
    redraw    bytes of the first redraw that have not come yet
    inflater  inflates messages for decode(), if compression is agreed upon; whole() and output_in() take no compressed
              output
    """

    def __init__(self) -> None:
        self.replies = b""
        self.redraw = 0
        self.inflater: Inflater | None = None

    @abstractmethod
    def encode(self, data: bytes) -> bytes:
        """The bytes on the wire for some input."""

    @abstractmethod
    def decode(self, chunk: memoryview) -> bytes:
        """The output that `chunk` completes."""

    @abstractmethod
    def whole(self, walk: Walk, buffer: memoryview, end: int, content: Content) -> bool:
        """Whether buffer[:end] contains all of `content`. Continues where `walk` stands, and costs little."""

    @abstractmethod
    def output_in(self, buffer: memoryview, end: int) -> Iterator[bytes | memoryview]:
        """The output in buffer[:end]."""


class RawWire(Wire):
    """Bytes without any wrapping."""

    def encode(self, data: bytes) -> bytes:
        return data

    def decode(self, chunk: memoryview) -> bytes:
        return bytes(chunk)

    def whole(self, walk: Walk, buffer: memoryview, end: int, content: Content) -> bool:
        return end >= content.size

    def output_in(self, buffer: memoryview, end: int) -> Iterator[bytes | memoryview]:
        yield buffer[:end]


class BinaryWire(Wire):
    """WebSocket: binary frames with output or input, unchanged."""

    input_opcode = BINARY

    def __init__(self, mask: bytes, redraw: int = 0, *, inflater: Inflater | None = None) -> None:
        super().__init__()
        self.redraw = redraw
        self._mask = mask
        self.inflater = inflater
        self._rest = b""  # an incomplete frame
        self._parts: list[bytes] = []  # frames of an incomplete message
        self._compressed = False  # whether that message is

    def encode(self, data: bytes) -> bytes:
        return client_frame(self.input_opcode, self.input(data), self._mask)

    def input(self, data: bytes) -> bytes:
        """The message for some input."""
        return data

    def message(self, output: bytes) -> bytes:
        """The message for a line of printable ASCII."""
        return output

    def output(self, message: bytes) -> bytes:
        """The output in a message."""
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
        """Add one frame to its message. The first frame of a message says whether it is compressed."""
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
    """terminado: text frames with an array each, ["stdout", text] for output and ["stdin", text] for input."""

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
        # A newline takes two bytes in JSON, every other character of Content takes one.
        return walk.payload - self.OVERHEAD * walk.messages >= content.size + content.lines

    def output_in(self, buffer: memoryview, end: int) -> Iterator[bytes | memoryview]:
        for message in super().output_in(buffer, end):  # Tornado's server never fragments
            yield self.output(bytes(message))


class V1Wire(BinaryWire):
    """`vibetunnel.v1` (docs/protocol.md): messages with a type byte. What decode() has returned is acked as drawn.

    decode() returns a redraw as RIS and its bytes: the client's terminal, which must have the session's size, begins
    anew. For live output only: a transfer that is checked later uses raw mode.

    redraws   number of redraws so far
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
        # After half the window, as late as the protocol allows: no browser is slower. A redraw is acked at once.
        if self._ack_due or self._drawn - self._acked >= max(1, self._window // 2):
            self._acked, self._ack_due = self._drawn, False
            ack = self._ACK + self._drawn.to_bytes(8, "big")
            self.replies += client_frame(BINARY, ack, self._mask)
        return output


class TtydWire(BinaryWire):
    """ttyd: a type byte, then the payload. The first message to the server has the terminal's size.

    resume_every   bytes after which it sends RESUME, as ttyd's own browser client that draws at once; 0: never, without
                   flow control
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
        for message in super().output_in(buffer, end):  # libwebsockets sends each message as one frame
            yield self.output(bytes(message))


class GottyWire(BinaryWire):
    """gotty: text frames with a type byte, and base64 both ways, as its own client requests."""

    PROTOCOL = "webtty"
    input_opcode = TEXT
    _OUTPUT = b"1"
    _OTHERS = (b"2", b"3", b"4", b"5", b"6")  # pong, title, preferences, reconnect, buffer size
    _INPUT, _RESIZE, _ENCODING = b"1", b"3", b"4base64"

    def __init__(self, mask: bytes) -> None:
        super().__init__(mask)
        self._padding = 0  # characters in the messages of a transfer

    def hello(self, arguments: str, rows: int, cols: int) -> bytes:
        """The first messages: the program's arguments, as in a URL; its size; the encoding of input."""
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
    """VibeTunnel's Go server: text frames with output, unchanged, and JSON objects with input."""

    input_opcode = TEXT

    def input(self, data: bytes) -> bytes:
        return json.dumps({"type": "input", "data": data.decode("ascii")}).encode("ascii")


class SseWire(Wire):
    """VibeTunnel's Node server: an asciicast event per server-sent event, in a chunked answer; input by a WebSocket."""

    def __init__(self, mask: bytes) -> None:
        super().__init__()
        self._mask = mask
        self._chunks = Chunks()
        self._rest = b""  # an incomplete event

    def encode(self, data: bytes) -> bytes:
        return client_frame(TEXT, data, self._mask)

    def decode(self, chunk: memoryview) -> bytes:
        *events, self._rest = (self._rest + self._chunks.decode(chunk)).split(b"\n\n")
        return b"".join(self._output(event) for event in events)

    def _output(self, event: bytes) -> bytes:
        if not event.startswith(b"data: "):  # a comment, or another kind of event
            return b""
        try:
            match json.loads(event.removeprefix(b"data: ")):
                case [_, "o", str(text)]:
                    return text.encode()
                case [_, str(), str()] | {"version": 2}:  # input, sizes, marks; the header
                    return b""
        except ValueError:
            pass
        raise Wrong(f"node: expected an event of an asciicast, got {event[:80]!r}")

    def whole(self, walk: Walk, buffer: memoryview, end: int, content: Content) -> bool:
        # No event says how long its output is. Parsing costs a hundredth of what the server needs to write it.
        walk.payload += len(self.decode(buffer[walk.position : end]))
        walk.position = end
        return walk.payload >= content.size

    def output_in(self, buffer: memoryview, end: int) -> Iterator[bytes | memoryview]:
        yield SseWire(self._mask).decode(buffer[:end])
