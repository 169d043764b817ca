"""How many requests a second a server answers, asked by a client that costs little (asker.c)."""

import ctypes
from dataclasses import dataclass

from benchmarks import compiled
from benchmarks.client import Address
from benchmarks.errors import Wrong

WARM_MS = 300  # of requests that do not count
CHANGES = "0123456789.-+:TZhmsunµ".encode()  # the characters of times and durations


class _Question(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_char_p) for name in ("request", "head", "before", "after")),
        *((f"{name}_size", ctypes.c_int) for name in ("request", "head", "before", "after")),
    ]


@dataclass(frozen=True)
class Question:
    """A complete request, and how the bodies of its answers begin and end. Between the two they may differ.

    after   b"": `before` is the whole body
    """

    request: bytes
    before: bytes
    after: bytes

    @classmethod
    def like(cls, request: bytes, first: bytes, second: bytes) -> "Question":
        """Made from the bodies of two answers: what they have in common before and after a time."""
        if first == second:
            return cls(request, first, b"")
        before = _in_common(first, second).rstrip(CHANGES)
        rests = (answer[len(before) :][::-1] for answer in (first, second))
        after = _in_common(*rests)[::-1].lstrip(CHANGES)
        return cls(request, before, after)

    def matches(self, body: bytes) -> bool:
        """The same check as in asker.c."""
        if not self.after:
            return body == self.before
        long_enough = len(body) >= len(self.before) + len(self.after)
        return long_enough and body.startswith(self.before) and body.endswith(self.after)


def answers_per_second(address: Address, question: Question, connections: int, seconds: float) -> float:
    """Ask on connections that are kept alive, one request at a time on each, and check status and body of every answer.

    Raises Wrong for another answer, or none.
    """
    library = compiled.library("asker.c")
    library.asker_ask.restype = ctypes.c_long
    texts = {"request": question.request, "head": b"HTTP/1.1 200 ", "before": question.before, "after": question.after}
    passed = _Question(**texts, **{f"{name}_size": len(text) for name, text in texts.items()})
    took_ns = ctypes.c_int64()
    count = library.asker_ask(
        address[1], connections, WARM_MS, int(seconds * 1000), ctypes.byref(passed), ctypes.byref(took_ns)
    )
    if count < 0:
        raise Wrong(f"{_line(question.request)}: {compiled.problem(library)}")
    return float(count) / (took_ns.value / 1e9)


def _in_common(first: bytes, second: bytes) -> bytes:
    """The longest common beginning."""
    length = next((at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    return min(first, second, key=len) if length is None else first[:length]


def _line(request: bytes) -> str:
    return request.partition(b"\r\n")[0].decode()
