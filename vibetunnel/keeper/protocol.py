"""The keeper's wire format: bytes and descriptors in, messages out. No I/O (docs/keeper.md)."""

from __future__ import annotations

import binascii
import json
import os
import struct
from collections import deque

TYPE_CHECKING = False  # `typing` costs the keeper 600 KB, and only annotations need it
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    T = TypeVar("T")

VERSION = 1  # of the protocol; changes whenever an old peer would misunderstand a frame

FRAME_LIMIT = 1024 * 1024  # bytes of one frame's JSON; the arguments and environment of one exec fit easily
META_LIMIT = 64 * 1024  # bytes of one session's metadata
ID_LIMIT = 128  # characters of a session id
SESSIONS_LIMIT = 10_000  # of one keeper, started or not; Linux has 4096 ptys unless told otherwise
DESCRIPTORS_LIMIT = 8  # of one frame; at present no frame has more than two
GRACE_LIMIT_S = 60.0  # the longest grace: between asking programs to end and killing them
GRACE_S = 3.0  # the grace of a request that names none
# Codes of refusals
NOTHING_LEFT = "resources"  # the system is at fault, and not the request
NO_SESSION = "session"  # the keeper has no such session

SOCKET_NAME = "keeper.sock"
LOCK_NAME = "keeper.lock"
LOG_NAME = "keeper.log"
PATH_LIMIT = 103  # bytes of a unix socket's path on macOS; Linux has four more

ANOTHER_RUNS = 3  # exit code of a keeper that finds the lock taken

LENGTH = struct.Struct(">I")
LOST = -1  # in the place of the descriptors of one frame

_to_json = json.JSONEncoder(separators=(",", ":")).encode


class KeeperFrameError(Exception):
    """The peer has violated the protocol; the connection cannot go on."""


class KeeperMessage:
    """One frame: its fields, and the descriptors that came with it, by name.

    Its owner has to close the descriptors: `take` one, or `close` all.
    lost  its descriptors did not arrive, since this process is at its limit of open files
    """

    __slots__ = ("descriptors", "fields", "lost")

    def __init__(self, fields: dict[str, Any], descriptors: dict[str, int], *, lost: bool = False) -> None:
        self.lost = lost
        self.fields = fields
        self.descriptors = descriptors

    @property
    def kind(self) -> str:
        """The field `type`."""
        return self.get("type", str)

    def get(self, name: str, kind: type[T], default: T | None = None) -> T:
        """The field, checked to be of this type (an int is also a float); ProtocolError says what came instead."""
        value: Any = self.fields.get(name, default)
        expected: Any = (int, float) if kind is float else kind
        if not isinstance(value, expected) or (isinstance(value, bool) and kind is not bool):
            raise KeeperFrameError(f"{self.fields.get('type')}: {name} must be {kind.__name__}, not {_shorten(value)}")
        checked: T = value
        return checked

    def strings(self, name: str) -> list[str]:
        """The field, checked to be a list of strings."""
        value: list[Any] = self.get(name, list)
        if not all(isinstance(item, str) for item in value):
            raise KeeperFrameError(f"{self.fields.get('type')}: {name} must contain only strings")
        return value

    def mapping(self, name: str, default: dict[str, Any] | None = None) -> dict[str, str]:
        """The field, checked to be an object of strings."""
        value: dict[str, Any] = self.get(name, dict, default)
        if not all(isinstance(item, str) for item in value.values()):
            raise KeeperFrameError(f"{self.fields.get('type')}: {name} must contain only strings")
        return value

    def session(self) -> str:
        """The field `session`, checked to be a session's id."""
        value = self.get("session", str)
        if not 0 < len(value) <= ID_LIMIT or not value.isascii() or not value.isprintable():
            raise KeeperFrameError(f"a session id is 1 to {ID_LIMIT} printable ASCII characters, not {_shorten(value)}")
        return value

    def data(self, name: str) -> bytes:
        """The field, decoded from base64."""
        try:
            return binascii.a2b_base64(self.get(name, str).encode("ascii"), strict_mode=True)
        except ValueError as error:
            raise KeeperFrameError(f"{self.fields.get('type')}: {name} is not base64: {error}") from None

    def take(self, name: str) -> int:
        """The descriptor of this name, which the caller owns from here on; -1: the frame had none."""
        return self.descriptors.pop(name, -1)

    def close(self) -> None:
        """Close the descriptors that were not taken."""
        while self.descriptors:
            os.close(self.descriptors.popitem()[1])


def pack_bytes(data: bytes) -> str:
    """Bytes as a message carries them: base64."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def encode(fields: Mapping[str, Any], descriptors: Sequence[str] = ()) -> bytes:
    """One frame, ready to be sent.

    descriptors  names of the descriptors that travel with the frame's first byte, in order
    Raises ProtocolError when the frame is too large.
    """
    if descriptors:
        fields = {**fields, "descriptors": list(descriptors)}
    body = _to_json(fields).encode("ascii")
    if len(body) > FRAME_LIMIT:
        raise KeeperFrameError(f"{fields.get('type')}: a frame has at most {FRAME_LIMIT} bytes, this one {len(body)}")
    return LENGTH.pack(len(body)) + body


class KeeperDecoder:
    """Cuts the bytes that arrive into messages, and gives each message its descriptors.

    The kernel delivers a frame's descriptors in order, and with its first byte at the latest. It does not say with
    which byte of a read they came. So they are queued here, and each frame takes as many as it names.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._descriptors: deque[int] = deque()

    def feed(self, data: bytes, descriptors: Sequence[int] = (), *, lost: bool = False) -> None:
        """Add the bytes and descriptors of one read. The decoder owns the descriptors from here on.

        lost  the kernel had more than this process has room for. One read brings those of one frame on Linux, and that
              frame gets none.
        """
        self._buffer += data
        if lost:
            for descriptor in descriptors:
                os.close(descriptor)
            self._descriptors.append(LOST)
        else:
            self._descriptors.extend(descriptors)

    def messages(self) -> Iterator[KeeperMessage]:
        """All complete messages. Raises ProtocolError at the first invalid one."""
        while len(self._buffer) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._buffer)
            if length > FRAME_LIMIT:
                raise KeeperFrameError(f"a frame has at most {FRAME_LIMIT} bytes, this one says {length}")
            end = LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[LENGTH.size : end])
            del self._buffer[:end]
            yield self._message(body)
        if self._descriptors and not self._buffer:
            raise KeeperFrameError(f"{len(self._descriptors)} descriptors arrived that no frame names")

    def _message(self, body: bytes) -> KeeperMessage:
        try:
            fields = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise KeeperFrameError(f"a frame is not JSON: {error}") from None
        if not isinstance(fields, dict):
            raise KeeperFrameError(f"a frame must be a JSON object, not {_shorten(fields)}")
        message = KeeperMessage(fields, {})
        names = message.strings("descriptors") if "descriptors" in fields else []
        if len(names) > DESCRIPTORS_LIMIT or len(set(names)) < len(names):
            raise KeeperFrameError(f"a frame has at most {DESCRIPTORS_LIMIT} descriptors, each with its own name")
        if names and self._descriptors and self._descriptors[0] == LOST:
            self._descriptors.popleft()
            message.lost = True
            return message
        if len(names) > len(self._descriptors):
            raise KeeperFrameError(f"a frame names {len(names)} descriptors, but {len(self._descriptors)} arrived")
        message.descriptors = {name: self._descriptors.popleft() for name in names}
        return message

    def close(self) -> None:
        """Close the descriptors that no message has taken."""
        while self._descriptors:
            descriptor = self._descriptors.popleft()
            if descriptor != LOST:
                os.close(descriptor)


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
