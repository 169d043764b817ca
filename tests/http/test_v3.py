"""The socket of newer VibeTunnel clients, seen by a client that was written from the table of its messages."""

from __future__ import annotations

import struct

import pytest
from harness import Running, Serve, refused, until
from hypothesis import given
from hypothesis import strategies as st
from snapshot_client import parsed as snapshot_of
from v3_client import (
    ERROR,
    EVENT,
    EVENTS,
    HELLO,
    KEY,
    KILL,
    OUTPUT,
    PING,
    PONG,
    RESET_SIZE,
    RESIZE,
    SCREEN,
    SNAPSHOT,
    SUBSCRIBE,
    TEXT,
    UNSUBSCRIBE,
    VECTORS,
    VIEWING,
    framed,
    mutated,
    v3,
    well_formed,
)

from vibetunnel.handlers import v3_frames
from vibetunnel.handlers.v3_frames import Flag, V3Message, V3Type
from vibetunnel.protocol import CLOSE_AWAY
from vibetunnel.sessions.broadcast import QUEUE_LIMIT
from vibetunnel.sessions.snapshots import enveloped

ECHO = ["sh", "-c", "stty raw -echo; printf ready; exec cat"]

# ---------------------------------------------------------------- the bytes


def test_every_message_has_an_example() -> None:
    assert {each["name"]: each["kind"] for each in VECTORS} == {each.name: each.value for each in V3Type}


@pytest.mark.parametrize("example", VECTORS, ids=lambda each: each["name"])
def test_a_message_is_these_bytes(example: dict[str, str]) -> None:
    raw, session = bytes.fromhex(example["hex"]), bytes.fromhex(example["session"]).decode()
    payload = bytes.fromhex(example["payload"])
    assert v3_frames.encode(V3Type[example["name"]], session, payload) == raw
    assert v3_frames.decode(raw) == V3Message(V3Type[example["name"]], session, payload)
    assert framed(int(example["kind"]), session, payload) == raw  # the client of the tests agrees
    for n in range(len(raw)):
        assert v3_frames.decode(raw[:n]) is None, "a message that is cut anywhere is dropped"


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", framed(HELLO)[:11], b"\x00" * 12, b"TV\x02" + framed(HELLO)[3:], framed(PING, payload=b"x")[:-1]),
        struct.pack("<HBBI", 0x5654, 3, 40, 0xFFFFFFFF) + b"\0" * 8,
        struct.pack("<HBBI", 0x5654, 3, 40, 1) + b"\xff" + b"\0" * 4,
    ],
)
def test_malformed_messages_are_dropped(raw: bytes) -> None:
    assert v3_frames.decode(raw) is None


anything = st.binary(max_size=64)
altered = st.randoms(use_true_random=False).map(mutated)


@given(anything | anything.map(lambda rest: b"TV\x03" + rest) | altered)
def test_any_bytes_are_read_as_the_table_says_or_dropped(raw: bytes) -> None:
    found = v3_frames.decode(raw)
    assert found == well_formed(raw)  # of the client, written from the table
    if found is not None:
        v3_frames.subscription(found.payload)
        v3_frames.size(found.payload)


@given(st.binary(max_size=32), st.integers(0, 7), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_subscription_is_read_back(rest: bytes, flags: int, shortest: int, longest: int) -> None:
    found = v3_frames.subscription(struct.pack("<III", flags, shortest, longest) + rest)
    assert found == (Flag(flags), shortest, longest)
    assert found.interval_s <= shortest / 1000
    assert not longest or found.interval_s <= longest / 1000
    assert v3_frames.subscription(rest[:11]) is None


# ---------------------------------------------------------------- the socket


async def test_ping_is_answered_with_its_payload_and_what_is_unknown_is_ignored(server: Running) -> None:
    async with v3(server) as client:
        await client.say(HELLO)
        await client.say(99, "x", b"unknown")
        await client.say(VIEWING, "x")
        await client.connection.write_message("text is ignored")
        await client.connection.write_message(b"malformed", binary=True)
        await client.say(PING, "", b"payload")
        answer = await client.frame()
        assert (answer.kind, answer.payload) == (PONG, b"payload")


async def test_output_comes_as_text_after_the_screen(server: Running) -> None:
    session = await server.session(["sh", "-c", "stty raw -echo; printf 'before é'; exec cat"], spawn="now")
    await server.output(session, "é".encode())
    async with v3(server) as client:
        await client.subscribe(session, OUTPUT)
        assert (await client.until(session, "before é")).startswith("\x1bc")
        for part in (b"\xe6", b"\xbc\xa2", b"\xf0\x9f", b"\x98\x80!"):
            await server.fetch("POST", f"/api/sessions/{session}/input", {"text": "-"})
            await client.say(TEXT, session, part)
        await client.until(session, "!")
        await client.say(KEY, session, b"enter")
        await client.say(KEY, session, b"no such key")
        await client.until(session, "\r")


async def test_a_subscription_starts_a_lazy_session_and_gets_its_first_byte_and_its_exit_code(server: Running) -> None:
    session = await server.session(["sh", "-c", "printf first; exit 3"])
    async with v3(server) as client:
        await client.subscribe(session, OUTPUT)
        await client.until(session, "first")
        assert client.text[session] == "first"
        assert (await client.next(EVENT, session)).json == {"kind": "exit", "exitCode": 3}


async def test_events_tell_the_header_the_size_and_the_exit(server: Running) -> None:
    session = await server.session(ECHO, rows=24, cols=80)
    for flags in (OUTPUT | EVENTS, EVENTS):
        async with v3(server) as client:
            await client.subscribe(session, flags)
            header = (await client.next(EVENT, session)).json
            assert header["kind"] == "header"
            assert (header["header"]["version"], header["header"]["command"]) == (
                2,
                "sh -c 'stty raw -echo; printf ready; exec cat'",
            )
            cols = 100 if flags & OUTPUT else 110
            await client.say(RESIZE, session, struct.pack("<II", cols, 30))
            assert (await client.next(EVENT, session)).json == {"kind": "resize", "dimensions": f"{cols}x30"}
    async with v3(server) as client:
        await client.subscribe(session, EVENTS)
        await client.next(EVENT, session)
        await client.say(KILL, session, b"SIGKILL")
        exited = (await client.next(EVENT, session)).json
        assert exited["kind"] == "exit"
        assert exited["exitCode"] > 128


async def test_an_events_subscription_and_a_snapshot_start_nothing(server: Running) -> None:
    session = await server.session(["cat"])
    async with v3(server) as client:
        await client.subscribe(session, EVENTS | SCREEN)
        await client.next(SNAPSHOT, session)
        assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "created"


async def test_snapshots_are_those_of_buffers_and_follow_changes(server: Running) -> None:
    session = await server.session(ECHO, spawn="now")
    await server.output(session, b"ready")
    async with v3(server) as client:
        await client.subscribe(session, SCREEN)
        first = (await client.next(SNAPSHOT, session)).payload
        assert snapshot_of(enveloped(session, first)).text == "ready"
        await client.say(TEXT, session, b" more")
        while snapshot_of(enveloped(session, first)).text != "ready more":
            first = (await client.next(SNAPSHOT, session)).payload
        body = (await server.fetch("GET", f"/api/sessions/{session}/buffer")).body
        assert body == first


async def test_many_sessions_share_one_socket_until_they_are_unsubscribed(server: Running) -> None:
    sessions = [await server.session(ECHO) for _ in range(4)]

    async def echoed(session: str) -> bool:
        return b"unseen" in (await server.fetch("GET", f"/api/sessions/{session}/text")).body

    async with v3(server) as client:
        for session in sessions:
            await client.subscribe(session, OUTPUT | SCREEN | EVENTS, 10)
        for number, session in enumerate(sessions):
            await client.say(TEXT, session, f"only {number}".encode())
        for number, session in enumerate(sessions):
            await client.until(session, f"only {number}")
        await client.say(UNSUBSCRIBE, sessions[0])
        await client.settled()
        await client.say(TEXT, sessions[0], b"unseen")
        await client.say(TEXT, sessions[1], b"seen")
        await client.until(sessions[1], "seen")
        await until(lambda: echoed(sessions[0]))
        assert "unseen" not in client.text[sessions[0]]
        await client.subscribe(sessions[0], OUTPUT)  # again: the history comes as a redraw
        await client.until(sessions[0], "only 0unseen")


async def test_global_events_have_the_names_that_the_client_knows(server: Running) -> None:
    async with v3(server) as client:
        await client.subscribe("", EVENTS)
        connected = (await client.next(EVENT, "")).json
        assert connected["type"] == "connected"
        assert connected["timestamp"].endswith("Z")
        session = await server.session(["sh", "-c", "exit 4"], name="demo", spawn="now")
        started = (await client.next(EVENT, session)).json
        assert (started["type"], started["sessionId"], started["sessionName"]) == ("session-start", session, "demo")
        exited = (await client.next(EVENT, session)).json
        assert (exited["type"], exited["exitCode"]) == ("session-exit", 4)


async def test_a_client_that_lags_behind_global_events_is_disconnected_after_those_that_waited(server: Running) -> None:
    hub = server.server.context.registry.events
    async with v3(server) as client:
        await client.subscribe("", EVENTS)
        await client.next(EVENT, "")
        for _ in range(QUEUE_LIMIT + 2):  # without a pause, so that nothing is sent meanwhile
            hub.test("title", "text")
        assert not hub.broadcast.listeners
        assert await client.over() == CLOSE_AWAY


async def test_a_notification_of_a_program_is_a_turn_of_an_agent_in_the_words_of_the_client(server: Running) -> None:
    async with v3(server) as client:
        await client.subscribe("", EVENTS)
        session = await server.session(["sh", "-c", r"printf '\033]777;notify;Agent;It waits\033\\'; cat"], spawn="now")
        while (found := (await client.next(EVENT, session)).json)["type"] != "claude-turn":
            pass
        assert (found["title"], found["message"]) == ("Agent", "It waits")


@pytest.mark.parametrize(
    ("kind", "session", "payload", "message"),
    [
        (SUBSCRIBE, "nope", struct.pack("<III", 7, 0, 0), "Session not found"),
        (SUBSCRIBE, "nope", b"short", "Invalid SUBSCRIBE payload"),
        (TEXT, "nope", b"x", "Session not found"),
        (RESIZE, "nope", struct.pack("<II", 80, 24), "Session not found"),
        (RESET_SIZE, "nope", b"", "Session not found"),
        (KILL, "nope", b"", "Session not found"),
    ],
)
async def test_what_cannot_be_done_is_an_error(
    server: Running, kind: int, session: str, payload: bytes, message: str
) -> None:
    async with v3(server) as client:
        await client.say(kind, session, payload)
        error = await client.next(ERROR, session)
        assert error.json == {"message": message}


async def test_a_paste_of_a_mebibyte_arrives_whole(server: Running) -> None:
    session = await server.session(["sh", "-c", "stty raw -echo; printf ready; head -c 1048576 | cksum; cat"])
    async with v3(server) as client:
        await client.subscribe(session, OUTPUT)
        await client.until(session, "ready")
        await client.say(TEXT, session, b"x" * 1048576)
        await client.until(session, " 1048576")


async def test_a_size_is_clamped_and_given_back(server: Running) -> None:
    session = await server.session(ECHO, spawn="now")
    async with v3(server) as client:
        for wanted, size in (((1, 1), (10, 20)), ((5000, 5000), (1000, 1000))):
            await client.say(RESIZE, session, struct.pack("<II", *wanted))
            await client.say(RESIZE, session, b"short")
            await client.say(RESET_SIZE, session)

            async def taken(size: tuple[int, int] = size) -> bool:
                shown = await server.json("GET", f"/api/sessions/{session}")
                return (shown["rows"], shown["cols"]) == size

            await until(taken)


async def test_kill_ends_the_session_and_a_signal_reaches_the_program(server: Running) -> None:
    session = await server.session(["sh", "-c", "trap 'echo hupped' USR1; echo ready; while :; do sleep 0.05; done"])
    async with v3(server) as client:
        await client.subscribe(session, OUTPUT)
        await client.until(session, "ready")
        await client.say(KILL, session, b"SIGNOPE")
        assert "SIGNOPE" in (await client.next(ERROR, session)).json["message"]
        await client.say(KILL, session, b"SIGUSR1")
        await client.until(session, "hupped")
        await client.say(KILL, session)
        assert (await client.next(EVENT, session)).json["kind"] == "exit"
    await server.ended(session)


async def test_a_client_that_does_not_read_gets_the_newest_state_and_costs_little(server: Running) -> None:
    session = await server.session(
        ["sh", "-c", "read -r x; i=0; while [ $i -lt 60 ]; do seq 5000; i=$((i+1)); done; printf 'the end'; cat"]
    )
    async with v3(server) as client:
        await client.subscribe(session, OUTPUT | SCREEN, 20)
        fast = await server.attach(session)
        await client.say(TEXT, session, b"\n")
        await fast.until(b"the end")  # 1.7 MB, of which the v3 client has read nothing
        assert server.server.context.registry.get(session).terminal is not None
        await client.until(session, "the end")
        got = sum(len(text.encode()) for text in client.text.values())
        assert got < 1_200_000
        fast.close()


async def test_a_login_is_needed_which_may_be_in_the_url_if_that_is_allowed(serve: Serve) -> None:
    server = await serve(token_in_url=True)
    assert await refused(v3(server, headers={}).__aenter__()) == 401
    async with v3(server, f"?token={server.server.context.secret}", headers={}) as client:
        await client.settled()


async def test_a_removed_login_ends_the_socket(server: Running) -> None:
    created = await server.json("POST", "/api/tokens", {"scope": ["view", "type"], "expires": 60}, status=201)
    async with v3(server, headers={"Authorization": f"Bearer {created['token']}"}) as client:
        session = await server.session(ECHO)
        await client.subscribe(session, OUTPUT)
        await client.until(session, "ready")
        await server.json("DELETE", f"/api/tokens/{created['id']}")
        assert await client.over() == 4401


async def test_a_client_that_may_only_view_types_nothing(server: Running) -> None:
    created = await server.json("POST", "/api/tokens", {"scope": ["view"], "expires": 60}, status=201)
    session = await server.session(ECHO, spawn="now")
    async with v3(server, headers={"Authorization": f"Bearer {created['token']}"}) as client:
        await client.subscribe(session, OUTPUT)
        await client.until(session, "ready")
        for kind, payload in ((TEXT, b"x"), (KEY, b"enter"), (RESIZE, struct.pack("<II", 80, 24)), (KILL, b"")):
            await client.say(kind, session, payload)
            assert "right" in (await client.next(ERROR, session)).json["message"]
        assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "running"
