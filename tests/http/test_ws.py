"""GET /ws: the upgrade, both modes, and the close codes. tests/pump tests the frames themselves."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import sys
import uuid
from pathlib import Path
from typing import TypeVar

import pytest
from harness import DEADLINE_S, Running, Serve, Socket, until
from scenarios import upgrade_without_descriptors
from tornado.httpclient import HTTPClientError

from vibetunnel import protocol
from vibetunnel.errors import StartFailed
from vibetunnel.http.upgrade import NotAnUpgrade, handshake

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
GOOD = {
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


# The handshake alone


def test_the_example_of_the_rfc_is_accepted_as_the_rfc_says() -> None:
    agreed = handshake("HTTP/1.1", GOOD)
    assert agreed.accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert b"Sec-WebSocket-Protocol" not in agreed.response()
    assert agreed.response().startswith(b"HTTP/1.1 101 ")
    assert agreed.response().endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("offered", "v1"), [("vibetunnel.v1", True), ("x, vibetunnel.v1", True), ("x", False), ("VIBETUNNEL.V1", False)]
)
def test_only_a_subprotocol_that_was_offered_is_chosen(offered: str, v1: bool) -> None:
    agreed = handshake("HTTP/1.1", GOOD | {"Sec-WebSocket-Protocol": offered})
    assert agreed.v1 is v1
    assert (b"Sec-WebSocket-Protocol: vibetunnel.v1\r\n" in agreed.response()) is v1


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Upgrade": "h2c"}, 426),
        ({"Upgrade": ""}, 426),
        ({"Connection": "close"}, 426),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Version": ""}, 426),
        ({"Sec-WebSocket-Key": ""}, 400),
        ({"Sec-WebSocket-Key": "AAAA"}, 400),
        ({"Sec-WebSocket-Key": "!" * 24}, 400),
    ],
)
def test_a_request_that_is_no_upgrade_is_refused(changed: dict[str, str], status: int) -> None:
    with pytest.raises(NotAnUpgrade) as refused:
        handshake("HTTP/1.1", GOOD | changed)
    assert refused.value.status == status
    if status == 426:
        assert refused.value.headers


AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        ("permessage-deflate", AGREED),
        ("permessage-deflate; client_max_window_bits", AGREED),  # Chromium, Firefox
        ("permessage-deflate;client_max_window_bits=15", AGREED),
        ('permessage-deflate ;\tclient_max_window_bits = "8"', AGREED),
        ('permessage-deflate; client_max_window_bits="1\\5"', AGREED),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", AGREED),
        ("permessage-deflate; server_max_window_bits=15", f"{AGREED}; server_max_window_bits=15"),
        ("x-webkit-deflate-frame, permessage-deflate", AGREED),
        (", ,permessage-deflate,", AGREED),
        ('other; a="b"; c=d, permessage-deflate', AGREED),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", AGREED),  # the second, then
        ("permessage-deflate; unknown, permessage-deflate; client_max_window_bits", AGREED),
        # What RFC 7692 §7.1 says is to be declined
        ("permessage-deflate; server_max_window_bits=14", ""),
        ("permessage-deflate; server_max_window_bits=8", ""),
        ("permessage-deflate; server_max_window_bits", ""),
        ("permessage-deflate; server_max_window_bits=16", ""),
        ("permessage-deflate; server_max_window_bits=015", ""),
        ("permessage-deflate; client_max_window_bits=7", ""),
        ("permessage-deflate; client_max_window_bits=16", ""),
        ("permessage-deflate; client_max_window_bits=08", ""),
        ("permessage-deflate; client_max_window_bits=x", ""),
        ("permessage-deflate; server_no_context_takeover=1", ""),
        ('permessage-deflate; client_no_context_takeover="true"', ""),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits", ""),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", ""),
        ("permessage-deflate; unknown", ""),
        ("permessage-deflate; unknown=1", ""),
        ("permessage-bzip2", ""),
        ("PerMessage-Deflate", ""),
        ("", ""),
        (" , ", ""),
    ],
)
def test_the_first_offer_of_compression_that_can_be_accepted_is(offered: str, answer: str) -> None:
    request = GOOD | {"Sec-WebSocket-Extensions": offered}
    agreed = handshake("HTTP/1.1", request, compression=True)
    assert agreed.extension == answer
    line = f"\r\nSec-WebSocket-Extensions: {answer}\r\n".encode()
    assert (line in agreed.response()) is bool(answer)
    without = handshake("HTTP/1.1", request)
    assert without.extension == ""
    assert b"Extensions" not in without.response()


@pytest.mark.parametrize(
    "offered",
    [
        "permessage-deflate;",
        "permessage-deflate; ;client_max_window_bits",
        "permessage-deflate client_max_window_bits",
        "permessage-deflate; client_max_window_bits=",
        'permessage-deflate; client_max_window_bits="15',
        'permessage-deflate; client_max_window_bits=""',
        'permessage-deflate; client_max_window_bits="1 5"',
        'permessage-deflate; client_max_window_bits="15"x',
        "permessage-deflate; =15",
        "permessage-deflate, other;",
        "permessage-deflate; client_max_window_bits=15=15",
        "perm\u00e9ssage-deflate",
        "permessage-deflate\x0b",
        "permessage-deflate/2",
        ";",
        '"permessage-deflate"',
    ],
)
def test_an_invalid_list_of_extensions_is_refused_if_the_server_compresses(offered: str) -> None:
    request = GOOD | {"Sec-WebSocket-Extensions": offered}
    with pytest.raises(NotAnUpgrade) as refused:
        handshake("HTTP/1.1", request, compression=True)
    assert refused.value.status == 400
    assert handshake("HTTP/1.1", request).extension == ""


def test_a_long_list_of_extensions_takes_no_time() -> None:
    for piece in ("a;b=c,", "a ", "a;", 'a;b="', "a;b=\\", "\t", ";a" * 3 + ' = "\\"', ","):
        request = GOOD | {"Sec-WebSocket-Extensions": piece * (60_000 // len(piece))}
        with contextlib.suppress(NotAnUpgrade):
            handshake("HTTP/1.1", request, compression=True)


def test_http_1_0_cannot_be_upgraded() -> None:
    with pytest.raises(NotAnUpgrade):
        handshake("HTTP/1.0", GOOD)


# Coming in


async def test_without_a_free_descriptor_it_is_a_503_and_the_connection_lives_on(server: Running) -> None:
    await upgrade_without_descriptors(server)


async def test_attaching_starts_a_lazy_session_at_the_clients_size(server: Running) -> None:
    session = await server.session(["sh", "-c", "stty size; cat"])
    socket = await server.attach(session, "&rows=33&cols=111")
    await socket.until(b"33 111\r\n")
    await socket.send(b"typed\n")
    await socket.until(b"typed\r\ntyped\r\n")


async def test_an_unknown_session_is_a_404_before_the_upgrade(server: Running) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await server.attach("nope")
    assert refused.value.code == 404


@pytest.mark.parametrize(
    "query",
    [
        "&since=-1",
        "&since=x",
        "&rows=0&cols=5",
        "&rows=5&cols=1001",
        "&rows=5",
        "&cols=5",
        "&client=nope",
        "&permission=all",
        "&since=%ff",
        "&appearance=",
        "&appearance=" + "00" * 61,
        "&appearance=" + "zz" * 62,
        "&appearance=01ffff" + "00" * 59,  # a cell of 65,535 pixels
    ],
)
async def test_a_bad_parameter_is_a_400_that_names_it(server: Running, query: str) -> None:
    session = await server.session(["cat"])
    answer = await server.json("GET", f"/ws?sessionId={session}{query}", headers=GOOD, status=400)
    assert any(f"&{field}" in query for field in answer["error"].partition(":")[0].split(", "))
    assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "created"


async def test_without_a_session_id_the_subprotocol_is_a_400(server: Running) -> None:
    headers = GOOD | {"Sec-WebSocket-Protocol": protocol.SUBPROTOCOL}  # without it: test_v3.py
    answer = await server.json("GET", "/ws", headers=headers, status=400)
    assert answer["error"].startswith("sessionId: ")


async def test_a_plain_get_is_told_to_upgrade(server: Running) -> None:
    session = await server.session(["cat"])
    response = await server.fetch("GET", f"/ws?sessionId={session}")
    assert response.code == 426
    assert response.headers["Upgrade"] == "websocket"
    assert json.loads(response.body)["error"]
    assert (await server.fetch("HEAD", f"/ws?sessionId={session}")).code == 405


async def test_many_clients_at_once_start_one_process(server: Running) -> None:
    session = await server.session(["sh", "-c", "echo pid:$$:it; cat"])
    sockets = await asyncio.gather(*(server.attach(session) for _ in range(8)))
    outputs = await asyncio.gather(*(socket.until(b":it") for socket in sockets))  # a late one's is a redraw
    pids = [re.findall(rb"pid:(\d+):it", output) for output in outputs]
    assert len(pids[0]) == 1
    assert pids == [pids[0]] * 8

    async def eight() -> bool:
        return bool((await server.json("GET", f"/api/sessions/{session}"))["clients"] == 8)

    await until(eight)


async def test_a_reader_does_not_start_a_session_and_cannot_type(server: Running) -> None:
    session = await server.session(["sh", "-c", "echo ready; cat"])
    with pytest.raises(HTTPClientError) as refused:
        await server.attach(session, "&permission=view")
    assert refused.value.code == 400
    assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "created"
    await server.output(session, b"ready")
    reader = await server.attach(session, "&permission=view&since=0")
    await reader.until(b"ready\r\n")
    await reader.send(b"forbidden\n")
    writer = await server.attach(session)
    await writer.send(b"allowed\n")
    assert b"forbidden" not in await reader.until(b"allowed\r\nallowed\r\n")


async def test_bytes_sent_along_with_the_request_are_not_lost(server: Running) -> None:
    session = await server.session(["sh", "-c", "echo ready; exec cat"])
    await server.output(session, b"ready")
    frame = bytes([0x82, 0x80 | 6, 0, 0, 0, 0]) + b"early\n"
    lines = [f"GET /ws?sessionId={session} HTTP/1.1", f"Host: 127.0.0.1:{server.server.port}"]
    lines += [f"{name}: {value}" for name, value in (GOOD | server.bearer).items()]
    request = "\r\n".join([*lines, "", ""]).encode() + frame
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
    writer.write(request)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    await server.output(session, b"early\r\nearly\r\n")
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_leaves_is_no_longer_counted(server: Running) -> None:
    session = await server.session(["cat"])
    socket = await server.attach(session)
    attachments = server.server.context.attachments
    assert len(attachments) == 1
    socket.close()

    async def gone() -> bool:
        return (await server.json("GET", f"/api/sessions/{session}"))["clients"] == 0 and len(attachments) == 0

    await until(gone)


# Raw mode


async def test_text_is_input_unless_it_is_an_object_of_ours(server: Running) -> None:
    session = await server.session(["sh", "-c", "stty -echo; echo ready; cat"])
    socket = await server.attach(session)
    await socket.until(b"ready")
    for text in ("plain\n", json.dumps({"type": "input", "data": "ünwrapped\n"}), '{"other":1}\n', "5\n"):
        await socket.send(text)
    output = await socket.until(b"5\r\n")
    assert output.endswith('plain\r\nünwrapped\r\n{"other":1}\r\n5\r\n'.encode())


async def test_a_resize_object_sets_the_size(server: Running) -> None:
    session = await server.session(["sh", "-c", "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done"])
    socket = await server.attach(session)
    await socket.until(b"ready")
    await socket.send(json.dumps({"type": "resize", "data": {"rows": 20, "cols": 70}}))
    await socket.until(b"20 70\r\n")
    seen = await server.json("GET", f"/api/sessions/{session}")
    assert (seen["rows"], seen["cols"]) == (20, 70)
    assert (seen["initialRows"], seen["initialCols"]) == (24, 80)


async def test_returning_with_an_offset_brings_exactly_the_rest(server: Running) -> None:
    session = await server.session(["sh", "-c", "printf 0123456789; cat"])
    socket = await server.attach(session)
    await socket.until(b"0123456789")
    socket.close()
    again = await server.attach(session, "&since=4")
    assert await again.until(b"9") == b"456789"


# Compression


@pytest.mark.parametrize("v1", [False, True])
async def test_compression_is_negotiated_if_it_is_set_and_offered(serve: Serve, v1: bool) -> None:
    server = await serve(compression=True)
    session = await server.session(["sh", "-c", "seq 5000; read line; echo $line; cat"])
    plain, pressed = (
        await server.attach(session, "&since=0&lag=lossless", v1=v1),
        await server.attach(session, "&since=0&lag=lossless", v1=v1, deflates=True),
    )
    assert pressed.connection.headers["Sec-WebSocket-Extensions"] == AGREED
    assert "Sec-WebSocket-Extensions" not in plain.connection.headers
    typed = "word " * 100 + "over"
    await pressed.send(protocol.encode(protocol.Input(0, f"{typed}\n".encode())) if v1 else f"{typed}\n".encode())
    for socket in (plain, pressed):
        output = b""
        while output.count(b"over\r\n") < 2:  # echoed, and printed
            message = await socket.receive()
            assert message is not None
            decoded = protocol.decode(message) if v1 else None
            output += decoded.data if isinstance(decoded, protocol.Output) else b"" if v1 else message
        assert b"\r\n4999\r\n5000\r\n" in output
    pump = server.server.context.registry.pump
    assert pump.statistics()["compressions"] > 0
    assert b"vibetunnel_pump_compressions_total" in (await server.fetch("GET", "/metrics")).body


async def test_compression_is_not_agreed_on_unless_it_is_set(server: Running) -> None:
    session = await server.session(["sh", "-c", "seq 5000; cat"])
    socket = await server.attach(session, "&since=0", deflates=True)
    assert "Sec-WebSocket-Extensions" not in socket.connection.headers
    await socket.until(b"\r\n5000\r\n")
    assert server.server.context.registry.pump.statistics()["compressions"] == 0


async def test_a_server_with_compression_but_without_zlib_says_what_to_do(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise OSError("zlib cannot be loaded: libz.so.1: no such file")

    monkeypatch.setattr("vibetunnel.server.load_zlib", missing)
    with pytest.raises(StartFailed, match=r"--compression: zlib cannot be loaded: libz\.so\.1: .*apt install zlib1g"):
        await serve(compression=True)


# The end


async def test_an_exit_closes_the_socket_with_1000_after_the_last_output(server: Running) -> None:
    session = await server.session("read x; echo last; exit 3")
    socket = await server.attach(session)
    await socket.send(b"\n")
    await socket.until(b"last\r\n")
    assert await socket.over() == (1000, "exited 3")


async def test_attaching_to_an_ended_session_shows_its_output_and_end(server: Running) -> None:
    session = await server.session("echo farewell; exit 4", spawn="now")
    await server.ended(session)
    socket = await server.attach(session)
    await socket.until(b"farewell")
    assert await socket.over() == (1000, "exited 4")


async def test_attaching_to_a_session_that_cannot_start_says_why(server: Running) -> None:
    session = await server.session(["/no/such/program"])
    for _ in range(2):
        socket = await server.attach(session, v1=True)
        exit_message = None
        while (message := await socket.receive()) is not None:
            assert isinstance(message, bytes)
            if message[0] == 6:
                exit_message = protocol.decode(message)
        assert isinstance(exit_message, protocol.Exit)
        assert exit_message.code == -1
        assert "/no/such/program" in exit_message.reason
        assert socket.ending[0] == 1000


async def test_killing_a_session_ends_its_sockets(server: Running) -> None:
    session = await server.session(["sh", "-c", "echo ready; cat"])
    socket = await server.attach(session)
    await socket.until(b"ready")
    await server.json("DELETE", f"/api/sessions/{session}")
    code, reason = await socket.over()
    assert code == 1000
    assert (reason or "").startswith("exited 1")


async def test_a_stopping_server_says_1001_and_leaves_the_process(serve: Serve) -> None:
    server = await serve()
    session = await server.session(["sh", "-c", "echo ready; cat"])
    pid = (await server.json("POST", "/api/sessions", {"command": ["cat"], "spawn": "now"}, status=201))["pid"]
    socket = await server.attach(session)
    await socket.until(b"ready")
    await server.server.close()
    assert (await socket.over())[0] == 1001
    os.kill(pid, 0)


# vibetunnel.v1


async def test_the_program_on_the_page_runs_as_it_stands(server: Running, tmp_path: Path) -> None:
    program = tmp_path / "attach.py"
    program.write_text(PAGE.split("```python\n", 1)[1].split("```", 1)[0], encoding="utf-8")
    token = (await server.json("POST", "/api/tokens", {"scope": ["view", "type"], "expires": 60}, status=201))["token"]
    session = await server.session(["sh"], spawn="now")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), server.url.replace("http", "ws", 1), token, session,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(DEADLINE_S):
        output, errors = await process.communicate()
    assert errors == b""
    assert b"echo hello; exit 3\r\nhello\r\n" in output
    assert output.endswith(b"closed with 1000: exited 3\n")


T = TypeVar("T")


async def v1_until(socket: Socket, kind: type[T]) -> T:
    while True:
        message = await socket.receive()
        assert message is not None, socket.ending
        if isinstance(decoded := protocol.decode(message), kind):
            return decoded


async def test_v1_begins_with_hello_and_carries_offsets(server: Running) -> None:
    session = await server.session(["sh", "-c", "stty -echo; printf abc; cat"])
    client = uuid.uuid4()
    socket = await server.attach(session, f"&rows=30&cols=90&client={client}", v1=True)
    assert socket.connection.selected_subprotocol == "vibetunnel.v1"
    hello = await v1_until(socket, protocol.Hello)
    assert (hello.writable, hello.start, hello.accepted) == (True, 0, 0)
    output = await v1_until(socket, protocol.Output)
    assert (output.offset, output.data) == (0, b"abc")
    await socket.send(protocol.encode(protocol.Input(0, b"xyz\n")))
    output = await v1_until(socket, protocol.Output)
    assert output.offset == 3
    socket.close()
    again = await server.attach(session, f"&since=3&client={client}", v1=True)
    hello = await v1_until(again, protocol.Hello)
    assert (hello.start, hello.accepted) == (3, 4)


async def test_a_wrong_method_is_told_that_only_get_will_do(server: Running) -> None:
    for method in ("PUT", "HEAD"):
        response = await server.fetch(method, "/ws?sessionId=x")
        assert (response.code, response.headers["Allow"]) == (405, "GET")


async def test_a_key_of_the_wrong_length_is_a_400(server: Running) -> None:
    session = await server.session(["cat"])
    headers = GOOD | {"Sec-WebSocket-Key": base64.b64encode(b"short").decode()}
    await server.json("GET", f"/ws?sessionId={session}", headers=headers, status=400)
