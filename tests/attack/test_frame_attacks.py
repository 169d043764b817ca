"""Attacks through WebSocket frames: malformed, compressed and huge ones, and input of a viewer."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
import zlib

import pytest
from attacker import Target, Wire, aim, frame
from harness import Serve, until
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tornado.ioloop import IOLoop

from vibetunnel import protocol
from vibetunnel._ext import frames

pytestmark = pytest.mark.attack

MAX = 64 * 1024  # bytes of a message


MALFORMED = {
    "RSV1": frame(2, b"evil", first=0xC0),
    "RSV2": frame(2, b"evil", first=0xA0),
    "RSV3": frame(2, b"evil", first=0x90),
    "RSV1 on text": frame(1, b"evil", first=0xC0),
    "RSV1 on a ping": frame(9, b"evil", first=0xC0),
    "RSV1 on a continuation": frame(2, b"", first=0x00) + frame(0, b"evil", first=0xC0),
    "not masked": frame(2, b"evil", masked=False),
    "opcode 3": frame(3, b"evil"),
    "opcode 7": frame(7, b"evil"),
    "opcode 11": frame(11, b"evil"),
    "opcode 15": frame(15, b"evil"),
    "ping in pieces": frame(9, b"evil", first=0),
    "ping too long": frame(9, b"e" * 126),
    "close too long": frame(8, struct.pack(">H", 1000) + b"e" * 124),
    "close of one byte": frame(8, b"e"),
    "close 999": frame(8, struct.pack(">H", 999)),
    "close 1005": frame(8, struct.pack(">H", 1005)),
    "close 1006": frame(8, struct.pack(">H", 1006)),
    "close 65535": frame(8, struct.pack(">H", 65535)),
    "close with bad UTF-8": frame(8, struct.pack(">H", 1000) + b"\xff"),
    "continuation of nothing": frame(0, b"evil"),
    "a message within a message": frame(2, b"ev", first=0) + frame(2, b"il"),
    "text that is not UTF-8": frame(1, b"\xff\xfe"),
    "half a character": frame(1, b"\xe2\x82"),
    "a surrogate": frame(1, b"\xed\xa0\x80"),
    "a longer length than needed": frame(2, b"evil", length=b"\xfe\x00\x04"),
    "a much longer length than needed": frame(2, b"evil", length=b"\xff" + bytes(7) + b"\x04"),
    "2^63 bytes": frame(2, b"evil", length=b"\xff\x80" + bytes(7)),
    "2^63-1 bytes": frame(2, b"evil", length=b"\xff\x7f" + b"\xff" * 7),
    "4 GiB": frame(2, b"evil", length=b"\xff" + (1 << 32).to_bytes(8, "big")),
    "one byte too many": frame(2, b"e" * (MAX + 1)),
    "pieces that are too many bytes": frame(2, b"e" * 40000, first=0) + frame(0, b"e" * 40000),
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}
OF_TORNADO = ("/buffers", "/api/events")  # Tornado reads their frames
# Tornado's WebSocket is lenient about these; they do nothing there.
LENIENT = {
    "not masked", "a longer length than needed", "a much longer length than needed", "close 999", "close 1005",
    "close 1006", "close 65535", "close with bad UTF-8", "close of one byte", "close too long",
}  # fmt: skip


async def rest(wire: Wire) -> list[frames.Message]:
    """The frames that come until the other side closes."""
    agreed = "Sec-WebSocket-Extensions" in wire.accepted
    decoder = frames.Decoder(limit=1 << 24, masked=False, deflate=agreed)
    return decoder.feed(await wire.over())


@pytest.mark.parametrize("v1", [False, True], ids=["raw", "v1"])
async def test_malformed_frames(target: Target, v1: bool) -> None:
    """CWE-20, CWE-130, CWE-770, RFC 6455 §5, §7.4, §8.1: the connection ends, and nothing of the frame is typed."""
    session = await target.recorder()
    more = [f"Sec-WebSocket-Protocol: {protocol.SUBPROTOCOL}"] if v1 else []
    for name, data in MALFORMED.items():
        async with target.upgraded(f"/ws?sessionId={session}", None, *more) as wire:
            await wire.send(data + frame(2, b"typed behind it"))
            closed = [message for message in await rest(wire) if message.opcode == frames.CLOSE]
        assert [int.from_bytes(each.data[:2], "big") for each in closed] in ([], [1002], [1003], [1007], [1009]), name
    assert await target.recorded(session) == b""


@pytest.mark.parametrize("path", OF_TORNADO)
async def test_malformed_frames_on_other_sockets(target: Target, path: str) -> None:
    """CWE-20, CWE-130, CWE-770, RFC 6455 §5: the same on the other sockets."""
    for name, data in MALFORMED.items():
        async with target.upgraded(path) as wire:
            await wire.send(data + (frame(8, struct.pack(">H", 1000)) if name in LENIENT else b""))
            await wire.over()
    assert (await target.fetch("GET", "/api/health")).code == 200


@pytest.mark.parametrize("path", OF_TORNADO)
async def test_messages_on_other_sockets_are_bounded(target: Target, path: str) -> None:
    """CWE-770, RFC 6455 §10.4: the announced length of a message is enough to refuse it."""
    for data in (MALFORMED["4 GiB"], frame(2, b"e" * 40000, first=0) + frame(0, b"e" * 40000, first=0)):
        async with target.upgraded(path) as wire:
            await wire.send(data)
            await wire.over()


OFFERS = [
    "permessage-deflate", "permessage-deflate; client_max_window_bits", "permessage-deflate; server_max_window_bits=8",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover", "x-webkit-deflate-frame",
    "deflate-frame", "permessage-bzip2", "permessage-deflate, permessage-deflate; x=y", "x" * 4000,
]  # fmt: skip


def deflated(data: bytes) -> bytes:
    """RFC 7692 §7.2.1."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def test_compression_is_never_agreed_on(target: Target) -> None:
    """CWE-409 (deflate bomb), RFC 7692 §5: without --compression no frame is inflated, for any offer."""
    session = await target.recorder()
    bomb = deflated(bytes(1 << 20))
    for path, offer in ((path, offer) for path in (f"/ws?sessionId={session}", *OF_TORNADO) for offer in OFFERS):
        async with target.upgraded(path, None, f"Sec-WebSocket-Extensions: {offer}") as wire:
            assert "Sec-WebSocket-Extensions" not in wire.accepted, offer
            await wire.send(frame(2, bomb, first=0xC0))
            await wire.over()
    assert await target.recorded(session) == b""


BAD_MESSAGES = {
    "a bomb": (frame(2, deflated(bytes(50_000_000)), first=0xC0), 1009),
    "a bomb in pieces": (
        frame(2, (bomb := deflated(bytes(1 << 20)))[:500], first=0x40) + frame(0, bomb[500:]), 1009
    ),
    "pieces that are too many bytes": (frame(2, bytes(60000), first=0x40) + frame(0, bytes(20000)), 1009),
    "cut short": (frame(2, deflated(b"evil" * 200)[:-3], first=0xC0), 1007),
    "noise": (frame(2, b"\xff" * 100, first=0xC0), 1007),
    "text that is not UTF-8": (frame(1, deflated(b"evil\xff"), first=0xC0), 1007),
    "what came before is referred to": (frame(2, b"\xf2\0\x11\0\0", first=0xC0), 1007),
    "RSV1 on a continuation": (frame(2, b"", first=0x40) + frame(0, b"evil", first=0xC0), 1002),
    "RSV1 on a ping": (frame(9, b"evil", first=0xC0), 1002),
    "RSV1 on a close": (frame(8, b"", first=0xC0), 1002),
    "RSV2 beside it": (frame(2, b"evil", first=0xE0), 1002),
}  # fmt: skip


@pytest.mark.parametrize("v1", [False, True], ids=["raw", "v1"])
async def test_compressed_messages_after_they_were_negotiated(serve: Serve, v1: bool) -> None:
    """CWE-409 (deflate bomb), CWE-20, RFC 7692 §6, §7.2: a message is inflated only up to its limit, damaged data
    ends the connection, and many small bombs at once are no load."""
    target = aim(await serve(compression=True, rate_limit_anonymous=0))
    session = await target.recorder()
    more = [f"Sec-WebSocket-Protocol: {protocol.SUBPROTOCOL}"] if v1 else []
    more.append("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    for name, (data, code) in BAD_MESSAGES.items():
        async with target.upgraded(f"/ws?sessionId={session}", None, *more) as wire:
            assert wire.accepted["Sec-WebSocket-Extensions"].startswith("permessage-deflate;"), name
            await wire.send(data + frame(2, b"typed behind it"))
            closed = [message for message in await rest(wire) if message.opcode == frames.CLOSE]
        assert [int.from_bytes(each.data[:2], "big") for each in closed] in ([], [code]), name  # a reset can pass it
    ignored = frame(2, deflated(b"\x99" + bytes(MAX - 1)), first=0xC0)  # a type that v1 does not know
    async with target.upgraded(f"/ws?sessionId={session}&permission=view", None, *more) as wire:
        await wire.send(ignored * 2000)
        assert (await target.fetch("GET", "/api/health")).code == 200
        await wire.send(frame(8, struct.pack(">H", 1000)))
        closed = [message for message in await rest(wire) if message.opcode == frames.CLOSE]
    assert [int.from_bytes(each.data[:2], "big") for each in closed] == [1000]
    assert await target.recorded(session) == b""
    await target.close()


async def test_a_compressed_body_is_no_body(target: Target) -> None:
    """CWE-409 (zip bomb): a body is not inflated, so it is not JSON."""
    bombs = (gzip.compress(b"{" + b" " * 50_000_000 + b"}", 9), gzip.compress(b"{}"))
    for coding in ("gzip", "deflate", "br", "zstd", "x-gzip", "identity, gzip", "GZIP"):
        for body in bombs:
            response = await target.fetch("POST", "/api/sessions", body, headers={"Content-Encoding": coding})
            assert response.code in (400, 415), coding


async def test_fragments_without_end(target: Target) -> None:
    """CWE-400, CWE-835: 100,000 empty fragments of a message are no load, and do not end the connection."""
    session = await target.recorder()
    async with target.upgraded(f"/ws?sessionId={session}") as wire:
        await wire.send(frame(2, b"a", first=0) + frame(0, b"", first=0) * 100_000 + frame(0, b"b"))
        await target.output(session, b"ab")
    assert (await target.recorded(session)).endswith(b"ab")


async def test_pings_without_end(target: Target) -> None:
    """CWE-400, CWE-770: pongs that the client does not read do not pile up in the server."""
    session = await target.recorder()
    for path in (f"/ws?sessionId={session}", *OF_TORNADO):
        async with target.upgraded(path) as wire:
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            flood = frame(9, b"p" * 125) * 8000
            for _ in range(20):
                try:
                    async with asyncio.timeout(0.5):
                        wire.writer.write(flood)
                        await wire.writer.drain()
                except (TimeoutError, ConnectionError):
                    break  # the server may stop reading or disconnect
            assert (await target.fetch("GET", "/api/health")).code == 200
            wire.writer.transport.abort()
    assert await target.recorded(session) == b""


# A viewer

frames_of_any_kind = st.builds(
    frame,
    st.sampled_from([0, 1, 2, 8, 9, 10, 3, 11]),
    st.binary(max_size=200),
    first=st.sampled_from([0x80, 0x80, 0x80, 0x00, 0xC0]),
    masked=st.sampled_from([True, True, True, False]),
)
messages = st.one_of(
    st.binary(max_size=100),
    st.builds(lambda kind, rest: bytes([kind]) + rest, st.integers(0x80, 0x90), st.binary(max_size=40)),
    st.builds(lambda at, data: protocol.encode(protocol.Input(at, data)), st.integers(0, 100), st.binary(max_size=60)),
    st.builds(lambda r, c: protocol.encode(protocol.ResizeRequest(r, c)), st.integers(1, 999), st.integers(1, 999)),
)
texts = st.sampled_from([
    b'{"type":"input","data":"evil"}', b'{"type":"resize","rows":7,"cols":9}',
    b'{"type":"resize","data":{"rows":7,"cols":9}}',
    b'{"type":"ping"}', b"evil", b'{"type":"input"}', b'{"type":"x","data":"evil"}', b"[]", b"{",
])  # fmt: skip
streams = st.one_of(
    st.lists(st.one_of(frames_of_any_kind, st.binary(max_size=64)), max_size=8),
    st.lists(st.builds(frame, st.just(2), messages), max_size=8),
    st.lists(st.builds(frame, st.just(1), texts), max_size=4),
)


def test_not_one_byte_of_a_viewer(io_loop: IOLoop, target: Target) -> None:
    """CWE-862, CWE-285, CVE-2021-34182: no frame of a viewer types, resizes or breaks anything, in any protocol and
    with any permission that it asks for."""

    async def prepare() -> tuple[str, list[dict[str, str]], dict[str, object]]:
        session = await target.recorder()
        guest = await target.guest(session, "view")
        viewer = await target.user("viewer")
        token = {"Authorization": f"Bearer {await target.api_token('view')}"}
        before = await target.json("GET", f"/api/sessions/{session}")
        return session, [guest.own, viewer.own, token, target.bearer], before

    session, identities, before = io_loop.run_sync(prepare)

    async def attack(data: list[bytes], v1: bool, which: int, asked: str) -> None:
        if which == 3:
            asked = "view"  # the owner, with a smaller permission
        more = [f"Sec-WebSocket-Protocol: {protocol.SUBPROTOCOL}"] if v1 else []
        query = f"&permission={asked}" if asked else ""
        path = f"/ws?sessionId={session}{query}&rows=5&cols=6"
        async with target.upgraded(path, identities[which], *more) as wire:
            await wire.send(b"".join(data) + frame(8, struct.pack(">H", 1000)))
            wire.end()
            await wire.over()

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @example(data=[b"\x88\xde\xc5\x17\x8c\x02\x18\xce\xee"], v1=False, which=0, asked="")  # length beyond the input
    @given(data=streams, v1=st.booleans(), which=st.integers(0, 3), asked=st.sampled_from(["", "view", "type"]))
    def attacks(data: list[bytes], v1: bool, which: int, asked: str) -> None:
        io_loop.run_sync(lambda: attack(data, v1, which, asked))

    attacks()

    async def look() -> None:
        after = await target.json("GET", f"/api/sessions/{session}")
        assert await target.recorded(session) == b""
        for each in ("rows", "cols", "name", "status", "pid"):
            assert after.get(each) == before.get(each)

    io_loop.run_sync(look)


@pytest.mark.parametrize("who", ["guest-view", "viewer", "token-view"])
async def test_a_viewer_does_nothing_by_rest_or_buffers(target: Target, who: str) -> None:
    """CWE-862: REST and /buffers give a viewer no input, size, signal or name either."""
    session = await target.recorder()
    before = await target.json("GET", f"/api/sessions/{session}")
    headers = await target.headers(who, session)
    for method, path, body in (
        ("POST", "/input", {"text": "evil"}),
        ("POST", "/input", {"key": "enter"}),
        ("POST", "/resize", {"rows": 7, "cols": 9}),
        ("POST", "/signal", {"signal": "KILL"}),
        ("PATCH", "", {"name": "evil"}),
        ("DELETE", "", None),
        ("DELETE", "/cleanup", None),
    ):
        response = await target.fetch(method, f"/api/sessions/{session}{path}", body, login=False, headers=headers)
        assert response.code == 403, path
    ticket = await target.fetch(
        "POST", "/api/auth/ticket", {"sessionId": session, "permission": "type"}, login=False, headers=headers
    )
    if ticket.code == 200:
        made = json.loads(ticket.body)["ticket"]
        async with target.upgraded(f"/ws?sessionId={session}&ticket={made}", {}) as wire:
            await wire.send(frame(2, b"evil") + frame(8, struct.pack(">H", 1000)))
            await wire.over()
    async with target.upgraded("/buffers", headers) as wire:
        for said in ({"type": "input", "sessionId": session, "data": "evil"}, {"type": "resize", "rows": 7, "cols": 9}):
            await wire.send(frame(1, json.dumps(said).encode()))
        await wire.send(frame(8, struct.pack(">H", 1000)))
        await wire.over()
    after = await target.json("GET", f"/api/sessions/{session}")
    assert await target.recorded(session) == b""
    assert [after[each] for each in ("rows", "cols", "name")] == [before[each] for each in ("rows", "cols", "name")]


async def test_a_ticket_for_viewing_does_not_type(target: Target) -> None:
    """CWE-269: a ticket has only the permission that was asked for, also the owner's."""
    session = await target.recorder()
    ticket = await target.ticket(sessionId=session, permission="view")
    async with target.upgraded(f"/ws?sessionId={session}&ticket={ticket}&permission=type", {}) as wire:
        await wire.send(frame(2, b"evil") + frame(8, struct.pack(">H", 1000)))
        await wire.over()
    assert await target.recorded(session) == b""


QUESTIONS = [
    "\x1b[c", "\x1b[>c", "\x1b[=c", "\x1b[5n", "\x1b[6n", "\x1b[?6n", "\x1b[?15n", "\x1b[?25n", "\x1b[18t", "\x1b[19t",
    "\x1b[21t", "\x1b[20t", "\x1b[11t", "\x1b[14t", "\x1b[x", "\x1bZ", "\x05", "\x1b[?1$p", "\x1b[4$p", "\x1b[>q",
    "\x1bP$qm\x1b\\", "\x1bP$q\"p\x1b\\", "\x1bP+q544e\x1b\\", "\x1b]10;?\x07", "\x1b]11;?\x07", "\x1b]4;1;?\x07",
    "\x1b]52;c;?\x07", "\x1b]52;c;ZXZpbA==\x07", "\x1b]50;?\x07", "\x1b]60\x07", "\x1b[?u", "\x1b[?996n",
    "\x1b]99;i=1:p=?;\x07",
    "\x1bP1$tx\x1b\\", "\x1b[1$w", "\x1b[2$w", "\x1b]1337;ReportCellSize\x07", "\x1b[?1004h", "\x1b[?1003h", "\x1b[>7u",
    "\x1b]2;evil;id\x07\x1b[21t", "\x1b]1;evil\x07\x1b[20t", "\x1b[22t\x1b[23t\x1b[21t", "\x1bP|17/6576696c\x1b\\\x05",
    "\x1b]8;;http://evil/\x07x\x1b]8;;\x07", "\x1b]7;file://evil/evil\x07", "\x1b]9;evil\x07",
    "\x1b]777;notify;evil;evil\x07",
]  # fmt: skip


async def test_terminal_answer_back(target: Target) -> None:
    """CWE-150, CWE-77 (CVE-2003-0063, CVE-2022-45872): no output makes the terminal answer with bytes that
    the output chose, or with a line end; and no viewer's terminal answers at all."""
    text = "".join(QUESTIONS).encode().hex()
    print_it = "".join(f"\\{int(text[at : at + 2], 16):03o}" for at in range(0, len(text), 2))
    script = f"stty raw -echo; printf '{print_it}'; printf ready; exec od -An -v -tx1 -w1"
    session = await target.session(["sh", "-c", script], spawn="now")
    guest = await target.guest(session, "view")
    viewers = [await target.attach(session, "&since=0", v1=v1, headers=guest.own) for v1 in (False, True)]
    await target.output(session, b"ready")
    for viewer in viewers:  # like a terminal that answers every question
        await viewer.send(b"\x1b[?64;evilc\x1b]2;evil\x1b\\evil\r" if viewer is viewers[0] else
                          protocol.encode(protocol.Input(0, b"\x1b[?64;evilc\r")))  # fmt: skip
    await target.json("POST", f"/api/sessions/{session}/input", {"text": "the-end"})

    async def answers() -> bytes | None:
        got = (await target.output(session, b"ready")).partition(b"ready")[2]
        given = bytes.fromhex(b"".join(got.rpartition(b"\n")[0].split()).decode())
        return given.partition(b"the-end")[0] if b"the-end" in given else None

    answered = await until(answers)
    assert b"\x1b[" in answered  # it does answer what a terminal has to
    for chosen in (b"evil", b"\r", b"\n", b"ZXZpbA", b"6576696c", b"//", b"id"):
        assert chosen not in answered, (chosen, answered)
