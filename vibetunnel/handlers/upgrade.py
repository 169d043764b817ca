"""The server's half of a WebSocket handshake (RFC 6455 §4.2). Pure: headers in, a 101 answer or a refusal out."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

VERSION = "13"
V1 = "vibetunnel.v1"
OFFSET_HEADER = "X-VibeTunnel-Offset"
REDRAW_HEADER = "X-VibeTunnel-Redraw"
NUMBER = "0" * 20  # digits that the pump writes over
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class NotAnUpgrade(Exception):
    """The request is refused before anything is upgraded; `headers` go with the answer."""

    def __init__(self, status: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True)
class Handshake:
    """A request that may be upgraded.

    v1  the client offered the subprotocol `vibetunnel.v1`; raw otherwise, whatever else it offered
    """

    accept: str
    v1: bool

    def response(self) -> bytes:
        """The 101 answer, for `place`d numbers of a raw client; in vibetunnel.v1 messages say the same."""
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {self.accept}",
        ]
        if self.v1:
            lines.append(f"Sec-WebSocket-Protocol: {V1}")
        else:
            lines += [f"{OFFSET_HEADER}: {NUMBER}", f"{REDRAW_HEADER}: {NUMBER}"]
        return "\r\n".join([*lines, "", ""]).encode("ascii")


def place(response: bytes, header: str) -> int:
    """Where the digits of `header` stand in a 101 answer; 0: it has no such header."""
    at = response.find(f"\r\n{header}: ".encode("ascii"))
    return at + len(header) + 4 if at >= 0 else 0


def handshake(version: str, headers: Mapping[str, str]) -> Handshake:
    """Check the request of a client; `version` is HTTP's. Raises NotAnUpgrade."""
    if "websocket" not in _tokens(headers.get("Upgrade", "")):
        raise _not_upgrading("Upgrade: expected websocket")
    if "upgrade" not in _tokens(headers.get("Connection", "")) or version != "HTTP/1.1":
        raise _not_upgrading("Connection: expected Upgrade, over HTTP/1.1")
    if headers.get("Sec-WebSocket-Version", "").strip() != VERSION:
        raise NotAnUpgrade(
            HTTPStatus.UPGRADE_REQUIRED,
            f"Sec-WebSocket-Version: expected {VERSION}",
            {"Sec-WebSocket-Version": VERSION},
        )
    key = headers.get("Sec-WebSocket-Key", "").strip()
    try:
        if len(base64.b64decode(key, validate=True)) != 16:
            raise ValueError
    except (binascii.Error, ValueError):
        raise NotAnUpgrade(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Key: expected 16 bytes in base64") from None
    accept = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()).decode()
    offered = {each.strip() for each in headers.get("Sec-WebSocket-Protocol", "").split(",")}
    return Handshake(accept, V1 in offered)


def _not_upgrading(message: str) -> NotAnUpgrade:
    return NotAnUpgrade(HTTPStatus.UPGRADE_REQUIRED, message, {"Upgrade": "websocket"})


def _tokens(header: str) -> set[str]:
    return {each.strip().lower() for each in header.split(",")}
