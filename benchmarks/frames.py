"""WebSocket frames (RFC 6455 §5) for a load client: built in advance, and split cheaply on receipt."""

from dataclasses import dataclass

from benchmarks.errors import Wrong

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
RESERVED, RSV1 = 0x70, 0x40  # of the first byte; RSV1: the message is compressed (RFC 7692)


def client_frame(opcode: int, payload: bytes, mask: bytes) -> bytes:
    """One complete, masked frame."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    masked = bytes(byte ^ mask[at & 3] for at, byte in enumerate(payload))
    return bytes([FIN | opcode]) + length + mask + masked


@dataclass
class Walk:
    """Goes from header to header over a growing buffer of a server's frames, without reading payloads.

    position   start of the next header; may lie beyond what has arrived
    payload    bytes in the complete data frames
    messages   number of complete messages
    """

    position: int = 0
    payload: int = 0
    messages: int = 0

    def step(self, buffer: memoryview, end: int) -> tuple[int, int, int] | None:
        """The next complete frame in buffer[:end]: its first byte, and where its payload starts and ends."""
        at = self.position
        if end - at < 2:
            return None
        first, size = buffer[at], buffer[at + 1]
        start = at + 2
        if size > 125:
            if size > 127:
                raise Wrong("frame: expected no mask from a server, got one")
            start += 2 if size == 126 else 8
            if end < start:
                return None
            size = int.from_bytes(buffer[at + 2 : start], "big")
        if end < start + size:
            return None
        self.position = start + size
        if not first & 0x08:
            self.payload += size
            self.messages += first >> 7
        elif first & 0x0F == CLOSE:
            raise Wrong(f"connection: expected output, got a close frame: {bytes(buffer[start : start + size])!r}")
        return first, start, start + size

    def over(self, buffer: memoryview, end: int) -> None:
        """Step over every complete frame in buffer[:end]."""
        while self.step(buffer, end):
            pass
