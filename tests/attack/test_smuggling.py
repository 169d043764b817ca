"""Attacks with requests that a proxy could parse differently (CWE-444), and on the headers of answers (CWE-113)."""

from __future__ import annotations

import pytest
from attacker import Answer, Target

pytestmark = pytest.mark.attack

# Header lines of a POST. The bytes after the headers are the request to smuggle.
AMBIGUOUS: dict[str, tuple[str, ...]] = {
    "CL.TE": ("Content-Length: {n}", "Transfer-Encoding: chunked"),
    "TE.CL": ("Transfer-Encoding: chunked", "Content-Length: 4"),
    "two lengths": ("Content-Length: 0", "Content-Length: {n}"),
    "two lengths, the other way": ("Content-Length: {n}", "Content-Length: 0"),
    "a length twice": ("Content-Length: {n}", "Content-Length: {n}"),
    "list of equal lengths": ("Content-Length: {n}, {n}",),
    "list of lengths": ("Content-Length: 0, {n}",),
    "length with a sign": ("Content-Length: +{n}",),
    "length below zero": ("Content-Length: -1",),
    "length in hex": ("Content-Length: 0x10",),
    "length with _": ("Content-Length: 1_0",),
    "length with a point": ("Content-Length: 4.0",),
    "length in other digits": ("Content-Length: \xb2",),
    "length of nothing": ("Content-Length:",),
    "length too long": ("Content-Length: " + "9" * 30,),
    "length with a NUL": ("Content-Length: 4\x00",),
    "space before the colon": ("Content-Length : {n}",),
    "tab before the colon": ("Transfer-Encoding\t: chunked",),
    "vertical tab": ("Transfer-Encoding:\x0bchunked",),
    "NUL in a value": ("X: a\x00b", "Content-Length: 0"),
    "NUL in a name": ("X\x00: a", "Content-Length: 0"),
    "folded": ("X: a", " Content-Length: {n}"),
    "folded first": (" Content-Length: {n}",),
    "folded coding": ("Transfer-Encoding:", " chunked"),
    "xchunked": ("Transfer-Encoding: xchunked",),
    "identity": ("Transfer-Encoding: identity", "Content-Length: 4"),
    "chunked, identity": ("Transfer-Encoding: chunked, identity",),
    "two codings": ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "gzip, chunked": ("Transfer-Encoding: gzip, chunked",),
    "quoted": ('Transfer-Encoding: "chunked"',),
    "no name": (": a", "Content-Length: 0"),
    "no colon": ("Content-Length", "Content-Length: 0"),
    "name with a space": ("Content Length: {n}",),
    "name in brackets": ("(Content-Length): {n}", "Content-Length: 0"),
    "bare CR": ("X: a\rContent-Length: {n}", "Content-Length: 0"),
    "bare LF": ("X: a\nTransfer-Encoding: chunked", "Content-Length: 0"),
    "name in latin-1": ("Content-Length\xff: {n}", "Content-Length: 0"),
}


async def nothing_smuggled(target: Target, *said: bytes, session: str) -> list[Answer]:
    """The answers. The session must still exist, and at most one request may have succeeded."""
    answers = await target.say(*said)
    assert sum(answer.status < 400 for answer in answers) <= 1, answers
    await target.json("GET", f"/api/sessions/{session}")
    return answers


async def test_request_smuggling(target: Target) -> None:
    """CWE-444, RFC 9112 §5.1, §5.2, §6.1, §6.3: an ambiguous request is refused and ends the connection."""
    session = await target.session(["cat"])
    bearer = f"Authorization: {target.bearer['Authorization']}"
    smuggled = target.request("DELETE", f"/api/sessions/{session}", bearer, "Connection: close")
    body = b"0\r\n\r\n" + smuggled
    for name, ambiguous in AMBIGUOUS.items():
        lines = [line.format(n=len(body)) for line in ambiguous]
        raw = target.request("POST", "/api/cleanup-exited", bearer, "Content-Type: application/json", *lines)
        answers = await nothing_smuggled(target, raw + body, session=session)
        assert len(answers) <= 1, (name, answers)
        assert [answer.status for answer in answers if answer.status < 400] == [], (name, answers)


CHUNKS = {
    "sign": b"+4\r\n{}  \r\n0\r\n\r\n",
    "hex": b"0x4\r\n{}  \r\n0\r\n\r\n",
    "space before": b" 4\r\n{}  \r\n0\r\n\r\n",
    "negative": b"-4\r\n{}  \r\n0\r\n\r\n",
    "no number": b"\r\n{}  \r\n0\r\n\r\n",
    "word": b"four\r\n{}  \r\n0\r\n\r\n",
    "_": b"0_4\r\n{}  \r\n0\r\n\r\n",
    "longer than said": b"2\r\n{}  \r\n0\r\n\r\n",
    "no end": b"2\r\n{}0\r\n\r\n",
    "huge": b"ffffffffffffffff\r\n{}",
    "huge, and a little more": b"10000000000000002\r\n{}\r\n0\r\n\r\n",
    "endless number": b"0" * 10000 + b"2\r\n{}\r\n0\r\n\r\n",
    "endless extension": b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
    "bare LF": b"2\n{}\n0\n\n",
    "bare CR": b"2\r{}\r0\r\r",
    "NUL": b"2\x00\r\n{}\r\n0\r\n\r\n",
}


async def test_malformed_chunks(target: Target) -> None:
    """CWE-444, RFC 9112 §7.1: a chunk that violates the grammar ends the connection."""
    session = await target.session(["cat"])
    bearer = f"Authorization: {target.bearer['Authorization']}"
    head = target.request("POST", "/api/cleanup-exited", bearer, "Content-Type: application/json",
                          "Transfer-Encoding: chunked")  # fmt: skip
    smuggled = target.request("DELETE", f"/api/sessions/{session}", bearer, "Connection: close")
    for name, chunks in CHUNKS.items():
        answers = await nothing_smuggled(target, head + chunks, smuggled, session=session)
        assert [answer.status for answer in answers if answer.status < 400] == [], (name, answers)


LINES = {
    "HTTP/0.9": b"GET /api/health\r\n\r\n",
    "HTTP/2.0": b"GET /api/health HTTP/2.0\r\nHost: {host}\r\n\r\n",
    "HTTP/1.2": b"GET /api/health HTTP/1.2\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    "http/1.1": b"GET /api/health http/1.1\r\nHost: {host}\r\n\r\n",
    "HTTP/1.10": b"GET /api/health HTTP/1.10\r\nHost: {host}\r\n\r\n",
    "HTTP/1.1 and more": b"GET /api/health HTTP/1.1 x\r\nHost: {host}\r\n\r\n",
    "two spaces": b"GET  /api/health HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "tab": b"GET\t/api/health\tHTTP/1.1\r\nHost: {host}\r\n\r\n",
    "no path": b"GET HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "space in the path": b"GET /api/ health HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "NUL in the path": b"GET /api/health\x00 HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "NUL method": b"GE\x00T /api/health HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "bare LF": b"GET /api/sessions HTTP/1.1\nHost: {host}\n{bearer}\n\n",
    "h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS hello": bytes.fromhex("16030100c4010000c00303") + b"\x00" * 190 + b"\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "garbage": bytes(range(256)) + b"\r\n\r\n",
}


async def test_malformed_request_lines(target: Target) -> None:
    """CWE-20, CWE-444, RFC 9112 §3: a malformed line gets no useful answer; the next connection is served."""
    bearer = f"Authorization: {target.bearer['Authorization']}"
    for name, line in LINES.items():
        raw = line.replace(b"{host}", target.authority.encode()).replace(b"{bearer}", bearer.encode())
        async with target.connected() as wire:
            await wire.send(raw)
            got = await wire.over()
        if got and name != "HTTP/1.2":
            assert got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), (name, got[:200])
        assert b'"command"' not in got, name
    assert (await target.fetch("GET", "/api/sessions")).code == 200


async def test_pipelined_requests_are_answered_in_order_and_once(target: Target) -> None:
    """CWE-444: two requests in one segment get one answer each."""
    one = target.request("GET", "/api/health")
    two = target.request("GET", "/api/nope", f"Authorization: {target.bearer['Authorization']}", "Connection: close")
    assert [answer.status for answer in await target.say(one + two)] == [200, 404]


async def test_nothing_is_smuggled_after_a_refused_upgrade(target: Target) -> None:
    """CWE-444: bytes after a refused handshake are dropped, or treated as an ordinary request."""
    session = await target.session(["cat"])
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13")
    smuggled = target.request("DELETE", f"/api/sessions/{session}", "Connection: close")
    for path in (f"/ws?sessionId={session}", "/buffers"):
        answers = await target.say(target.request("GET", path, *upgrade) + smuggled)
        assert [answer.status for answer in answers][:1] == [401]
        assert all(answer.status == 401 for answer in answers)
    await target.json("GET", f"/api/sessions/{session}")


SPLIT = "x\r\nSet-Cookie: vibetunnel=evil\r\n\r\n<script>alert(1)</script>"


SPELLINGS = [
    "%0d%0aSet-Cookie:%20vibetunnel=evil",
    "%0aSet-Cookie:vibetunnel=evil",
    "%E5%98%8A%E5%98%8DSet-Cookie:%20vibetunnel=evil",
    "\x85Set-Cookie: vibetunnel=evil",
]


async def test_response_splitting(target: Target) -> None:
    """CWE-113, CWE-93: no part of an address becomes a header of the answer."""
    bearer = f"Authorization: {target.bearer['Authorization']}"
    places = ("", "api/", "api/sessions/", "session/", "login?", "ws?sessionId=", "api/auth/avatar/", "share?x=")
    for path in (f"/{place}{spelling}" for place in places for spelling in SPELLINGS):
        for answer in await target.say(target.request("GET", path, bearer, "Connection: close")):
            assert "Set-Cookie" not in answer.headers
            assert b"<script>alert" not in answer.body


async def test_names_do_not_become_headers_or_markup(target: Target) -> None:
    """CWE-113, CWE-79: a session's name, its title and its output stay text."""
    script = "printf '\\033]2;<script>alert(1)</script>\\007<script>alert(2)</script>%s'; cat"
    for name in (SPLIT, "x\ny", "x\x1b[31m", "x\x00"):
        assert (await target.fetch("POST", "/api/sessions", {"command": ["cat"], "name": name})).code == 400
    session = await target.session(["sh", "-c", script], name="<script>alert(3)</script>")
    await target.json("POST", f"/api/sessions/{session}/input", {"text": "x"})
    await target.output(session, b"alert(2)")
    for path in ("", "/html", "/text", "/screen", "/output", "/shares", "/clients"):
        response = await target.fetch("GET", f"/api/sessions/{session}{path}")
        assert response.code == 200
        assert "Set-Cookie" not in response.headers
        kind = response.headers["Content-Type"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "html" not in kind or b"<script" not in response.body
    response = await target.fetch("POST", f"/api/sessions/{session}/shares", {"name": SPLIT})
    assert response.code in (201, 400)
    assert "Set-Cookie" not in response.headers


async def test_headers_of_the_handshake_are_ours(target: Target) -> None:
    """CWE-113: values offered in a handshake are not repeated in its answer."""
    session = await target.session(["cat"])
    lines = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    lines += ("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", f"Authorization: {target.bearer['Authorization']}")
    for path in (f"/ws?sessionId={session}", "/buffers"):
        for offered in ("evil", "vibetunnel.v2, evil", "evil\x85X: y"):
            async with target.connected() as wire:
                await wire.send(target.request("GET", path, *lines, f"Sec-WebSocket-Protocol: {offered}"))
                answer = await wire.answer()
            assert answer is None or "evil" not in str(answer.headers)
