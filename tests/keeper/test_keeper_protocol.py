"""The keeper's protocol over a real socket: other versions, and invalid messages."""

from __future__ import annotations

import os
import re
import socket
import struct

import pytest
from keeper_home import on_uvloop

from vibetunnel.keeper import client as client_module
from vibetunnel.keeper.errors import KeeperFailed
from vibetunnel.keeper.protocol import FRAME_LIMIT, VERSION, encode


@on_uvloop
async def test_version_that_the_keeper_does_not_speak_is_refused(home):
    await (await home.server()).client.close()
    peer = home.raw()
    answer = peer.ask(type="hello", version=VERSION + 1, pid=1)
    assert (answer["type"], answer["code"], answer["version"]) == ("refused", "version", VERSION)
    assert answer["reason"] == f"the keeper speaks protocol version {VERSION}, the server {VERSION + 1}"
    assert peer.closed()


@on_uvloop
async def test_version_that_the_server_does_not_speak_is_an_error(home, monkeypatch):
    await (await home.server()).client.close()
    monkeypatch.setattr(client_module, "VERSION", VERSION + 1)
    with pytest.raises(KeeperFailed, match=f"speaks protocol version {VERSION}, the server {VERSION + 1}"):
        await home.server()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (encode({"type": "spawn"}), "the first message must be hello, not spawn"),
        (encode({}), "None: type must be str, not None"),
        (encode({"type": "hello", "version": "1"}), "hello: version must be int, not '1'"),
        (
            struct.pack(">I", FRAME_LIMIT + 1) + bytes(100),
            f"at most {FRAME_LIMIT} bytes, this one says {FRAME_LIMIT + 1}",
        ),
        (struct.pack(">I", 5) + b"{nope", "a frame is not JSON"),
        (struct.pack(">I", 2) + b"[]", r"a frame must be a JSON object, not \[\]"),
        (encode({"type": "hello"}, ["one"]), "a frame names 1 descriptors, but 0 arrived"),
    ],
)
def test_peer_that_is_invalid_is_told_so_and_dropped(home, sent, reason):
    @on_uvloop
    async def check():
        await (await home.server()).client.close()
        peer = home.raw()
        peer.sock.sendall(sent)
        answer = peer.receive()
        assert answer["type"] == "error"
        assert re.search(reason, answer["reason"])
        assert peer.closed()
        await home.server()

    check()


@on_uvloop
async def test_request_that_is_invalid_is_answered_and_the_next_one_served(home):
    await (await home.server()).client.close()
    peer = home.raw()
    assert peer.ask(type="hello", version=VERSION, pid=os.getpid())["type"] == "welcome"
    for fields, reason in [
        ({"type": "dance"}, "unknown request: dance"),
        ({"type": "kill", "session": 5}, "kill: session must be str, not 5"),
        ({"type": "kill", "session": "x" * 129}, "a session id is 1 to 128 printable ASCII characters"),
        ({"type": "note", "session": "a", "meta": "?"}, "note: meta is not base64"),
        ({"type": "spawn", "session": "a", "argv": [1]}, "spawn: argv must contain only strings"),
        ({"type": "stop", "kill": 1}, None),
    ]:
        answer = peer.ask(request=7, **fields)
        if reason is None:
            assert answer["type"] == "done"  # no process runs, so `kill` is not read
            continue
        assert (answer["type"], answer["request"]) == ("failed", 7)
        assert answer["reason"].startswith(reason)


@on_uvloop
async def test_descriptors_that_a_server_sends_are_closed(home):
    await (await home.server()).client.close()
    peer = home.raw()
    reader, writer = os.pipe()
    socket.send_fds(peer.sock, [encode({"type": "hello", "version": VERSION, "pid": 1}, ["one"])], [writer])
    os.close(writer)
    assert peer.receive()["type"] == "welcome"
    assert os.read(reader, 1) == b""  # no other process has it open
    os.close(reader)
