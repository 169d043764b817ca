"""RFC 6455 framing in plain Python: the oracle that the extension's decoder is compared with."""

import struct
from dataclasses import dataclass, field

VALID_CLOSE = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


class OracleError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Oracle:
    """Collects everything it is fed and decodes it from the start each time: slow, and simple enough to trust."""

    limit: int = 65536
    masked: bool = True
    deflate: bool = False
    data: bytes = b""
    messages: list[tuple[int, bytes]] = field(default_factory=list)
    error: int = 0

    def feed(self, data: bytes) -> None:
        self.data += data
        self.messages = []
        try:
            self._decode()
        except OracleError as error:
            self.error = error.code

    def _decode(self) -> None:
        at = 0
        message, opcode = b"", 0
        while True:
            if len(self.data) - at < 2:
                return
            first, second = self.data[at], self.data[at + 1]
            need = at + 2
            length = second & 0x7F
            extra = {126: 2, 127: 8}.get(length, 0)
            mask_bytes = 4 if second & 0x80 else 0
            if len(self.data) < need + extra + mask_bytes:
                return
            if extra:
                length = int.from_bytes(self.data[need : need + extra], "big")
                if length < (126 if extra == 2 else 65536) or length >> 63:
                    raise OracleError(1002)
            need += extra
            key = self.data[need : need + mask_bytes]
            need += mask_bytes
            code, fin = first & 0xF, first & 0x80
            compressed = first & 0x40 if self.deflate and code in (1, 2) else 0
            if first & 0x70 != compressed or bool(mask_bytes) != self.masked:
                raise OracleError(1002)
            if code >= 8:
                if code > 10 or not fin or length > 125:
                    raise OracleError(1002)
            elif code > 2 or (code == 0) != (opcode != 0):
                raise OracleError(1002)
            if code in (1, 2):
                opcode = code | compressed
            if code < 8 and length + len(message) > self.limit + (self.limit // 16 + 64 if opcode & 0x40 else 0):
                raise OracleError(1009)
            if len(self.data) < need + length:
                return
            body = self.data[need : need + length]
            if key:
                body = bytes(c ^ key[i % 4] for i, c in enumerate(body))
            at = need + length
            if code == 8 and body:
                if len(body) == 1 or struct.unpack(">H", body[:2])[0] not in VALID_CLOSE:
                    raise OracleError(1002)
                self._text(body[2:])
            if code >= 8:
                self.messages.append((code, body))
                continue
            message += body
            if fin:
                if opcode == 1:
                    self._text(message)
                self.messages.append((opcode, message))
                message, opcode = b"", 0

    @staticmethod
    def _text(data: bytes) -> None:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise OracleError(1007) from error
