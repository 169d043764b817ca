"""A client that gets server-sent events from a pump, and one that gets text frames."""

import json
from typing import Any

from pump_peer import PumpPeer

from vibetunnel._ext import frames
from vibetunnel._ext.pump import Terminal

EVENTS = 2
FRAMES = 1
HEADER = b',"command":"sh"}'
SESSION = b"an-id"


class EventPeer(PumpPeer):
    """Reads server-sent events.

    output    all text so far; a reset clears it, as it clears a terminal
    wire      bytes that came
    events    the JSON of each event without a name
    named     (name, JSON) of the others
    comments  how many came
    last_id   of the last event that has one
    """

    def __init__(self, terminal: Terminal, **options: Any) -> None:
        self.wire = 0
        self.events: list[Any] = []
        self.named: list[tuple[str, Any]] = []
        self.comments = 0
        self.resets = 0
        self.last_id: int | None = None
        self._rest = b""
        super().__init__(terminal, text=EVENTS, header=HEADER, session=SESSION, latest=True, **options)

    def step(self) -> bool:
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        self.wire += len(data)
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            self._take_block(block.decode())
        if not data:
            assert not self._rest, "the last event is whole"
            self.ended = True
        return bool(data)

    def _take_block(self, block: str) -> None:
        name = ""
        for line in block.split("\n"):
            field, _, value = line.partition(": ")
            if line.startswith(":"):
                self.comments += 1
            elif field == "id":
                self.last_id = int(value)
            elif field == "event":
                name = value
            else:
                assert field == "data", line
                self._take_data(name, json.loads(value))

    def _take_data(self, name: str, data: Any) -> None:
        if name:
            self.named.append((name, data))
            return
        self.events.append(data)
        if isinstance(data, list) and data[1] == "o":
            text = data[2].encode()
            if text.startswith(b"\x1bc"):
                self.resets += 1
                self.output = b""
            self.output += text


class TextPeer(PumpPeer):
    """Reads WebSocket text frames. messages: their texts."""

    def __init__(self, terminal: Terminal, **options: Any) -> None:
        self.messages: list[str] = []
        super().__init__(terminal, text=FRAMES, **options)

    def step(self) -> bool:
        ours = bool(self.waiting) and self.waiting[0].opcode == frames.TEXT
        if ours:
            text = self.waiting.pop(0).data.decode()  # strict: text is valid UTF-8
            self.messages.append(text)
            self.output += text.encode()
            return True
        return super().step() if self.waiting else self._read()

    def _read(self) -> bool:
        data = self.socket.recv(1 << 18)
        self.waiting = self.decoder.feed(data)
        self.ended = not data
        return bool(data)
