"""Requests on one keep-alive connection: built in advance, and checked after the clock has stopped."""

import json
import mmap
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.chunked import Chunks
from benchmarks.client import Address, answers, connect
from benchmarks.errors import Wrong

ANSWER = 16 * 1024 * 1024  # bytes; the longest answer, head and body


def build(
    address: Address, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """A complete request, with `headers` in addition."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nAccept: application/json\r\n"
    if content:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return head.encode("ascii") + b"\r\n" + content


class Http:
    """One connection."""

    def __init__(self, address: Address) -> None:
        self._connection = connect(address)
        self._memory = memoryview(mmap.mmap(-1, ANSWER))  # pages that are not used take no memory
        self._head = b""  # of the last answer

    def exchange(self, request: bytes) -> tuple[int, int, memoryview]:
        """The ns until the answer's last byte, the status, and the body, which is valid until the next exchange."""
        memory, connection = self._memory, self._connection
        end = whole = start = 0
        chunked = False
        with answers("HTTP"):
            began = time.perf_counter_ns()
            connection.sendall(request)
            while not whole or end < whole:
                size = connection.recv_into(memory[end:])
                if not size:
                    raise Wrong(f"HTTP: expected an answer, got the end of the connection after {end} bytes")
                end += size
                if not whole:
                    head = bytes(memory[: min(end, 8192)]).partition(b"\r\n\r\n")
                    if head[1]:
                        start = len(head[0]) + 4
                        chunked = b"\r\ntransfer-encoding: chunked" in head[0].lower()
                        whole = ANSWER if chunked else start + _content_length(head[0])
                        self._head = head[0]
                        if whole > ANSWER:
                            raise Wrong(f"HTTP: expected an answer of at most {ANSWER} bytes, got one of {whole}")
                # While the clock runs, only look for the end: JSON contains no CR.
                if chunked and memory[max(start, end - len(Chunks.LAST)) : end] == Chunks.LAST:
                    whole = end
            took_ns = time.perf_counter_ns() - began
        if end != whole:
            raise Wrong(f"HTTP: expected an answer of {whole} bytes, got {end}")
        body = memory[start:whole]
        return took_ns, int(memory[9:12]), memoryview(Chunks().decode(body)) if chunked else body

    def json(self, request: bytes, status: int) -> tuple[int, Any]:  # Any: what JSON holds
        """Time in ns, and the body. Raises Wrong for another status, and for a body that is not JSON."""
        took_ns, body = self._expect(request, status)
        try:
            return took_ns, json.loads(bytes(body))
        except ValueError:
            raise Wrong(f"{_line(request)}: expected JSON, got {bytes(body[:300])!r}") from None

    def text(self, request: bytes, status: int) -> str:
        """The body. Raises Wrong for another status, and for a body that is not UTF-8."""
        _, body = self._expect(request, status)
        try:
            return bytes(body).decode()
        except UnicodeDecodeError as error:
            raise Wrong(f"{_line(request)}: expected UTF-8: {error}") from None

    def _expect(self, request: bytes, status: int) -> tuple[int, memoryview]:
        took_ns, got, body = self.exchange(request)
        if got != status:
            raise Wrong(f"{_line(request)}: expected status {status}, got {got}: {bytes(body[:300])!r}")
        return took_ns, body

    def cookie(self, request: bytes) -> str:
        """`name=value` of the cookie that a 200 answer sets."""
        self._expect(request, 200)
        for line in self._head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"set-cookie":
                return value.partition(b";")[0].strip().decode("ascii")
        raise Wrong(f"{_line(request)}: expected a cookie, got {self._head!r}")

    def close(self) -> None:
        self._connection.close()


class KeepAlive:
    """A connection that is opened when needed, and opened again when its server may have closed it as idle."""

    def __init__(self, address: Address, idle_s: float) -> None:
        self._address = address
        self._idle_s = idle_s
        self._http: Http | None = None
        self._used = 0.0

    def open(self) -> Http:
        now = time.monotonic()
        if self._http is None or now > self._used + self._idle_s:
            self.close()
            self._http = Http(self._address)
        self._used = now
        return self._http

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None


def _line(request: bytes) -> str:
    return request.partition(b"\r\n")[0].decode()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise Wrong(f"HTTP: expected a Content-Length, got {head!r}")
