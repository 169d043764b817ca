"""Channels and decoders: messages and their descriptors, wherever the stream is cut."""

from __future__ import annotations

import contextlib
import os
import resource
import socket

import pytest
from harness import no_more
from keeper_home import LIMITS, descriptors

from vibetunnel.keeper.channel import Channel
from vibetunnel.keeper.protocol import KeeperDecoder, KeeperFrameError, KeeperMessage, encode


def test_messages_are_the_same_however_the_stream_is_cut():
    stream = encode({"type": "a", "n": 1}) + encode({"type": "b"}) + encode({"type": "ä" * 100})
    for cut in range(len(stream) + 1):
        decoder = KeeperDecoder()
        found = []
        for part in (stream[:cut], stream[cut:]):
            decoder.feed(part)
            found += [message.fields for message in decoder.messages()]
        assert found == [{"type": "a", "n": 1}, {"type": "b"}, {"type": "ä" * 100}]


@pytest.fixture
def channels():
    left, right = (Channel(end) for end in socket.socketpair(socket.AF_UNIX))
    yield left, right
    left.close()
    right.close()


def received(channel: Channel, count: int) -> list[KeeperMessage]:
    found: list[KeeperMessage] = []
    while len(found) < count:
        channel.receive()
        found += channel.messages()
    return found


def test_each_frame_gets_its_own_descriptors(channels):
    left, right = channels
    files = [os.memfd_create(str(number)) if hasattr(os, "memfd_create") else os.dup(0) for number in range(4)]
    left.send({"type": "none"})
    left.send({"type": "two"}, {"x": files[0], "y": files[1]})
    left.send({"type": "none again"})
    left.send({"type": "one"}, {"x": files[2]})
    left.send({"type": "one more"}, {"z": files[3]})
    messages = received(right, 5)
    assert [message.kind for message in messages] == ["none", "two", "none again", "one", "one more"]
    taken = [messages[1].take("x"), messages[1].take("y"), messages[3].take("x"), messages[4].take("z")]
    assert [os.fstat(fd).st_ino for fd in taken] == [os.fstat(fd).st_ino for fd in files]
    assert not any(os.get_inheritable(fd) for fd in taken)
    assert messages[0].take("x") == -1
    for fd in files + taken:
        os.close(fd)


def test_descriptors_of_frames_larger_than_the_socket_arrive(channels):
    left, right = channels
    left.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    before = descriptors()
    reader, writer = os.pipe()
    inode = os.fstat(writer).st_ino
    for number in range(3):
        left.send({"type": "big", "filler": "x" * 300_000, "number": number}, {"end": writer})
    os.close(writer)  # the queued frames have duplicates
    assert left.pending > 0
    found: list[KeeperMessage] = []
    while len(found) < 3:
        left.flush()
        right.receive()
        found += right.messages()
    assert [message.get("number", int) for message in found] == [0, 1, 2]
    for message in found:
        assert os.fstat(message.descriptors["end"]).st_ino == inode
        message.close()
    os.close(reader)
    assert descriptors() == before


def test_closed_channel_leaves_no_descriptor(channels):
    left, right = channels
    before = descriptors()
    left.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    reader, writer = os.pipe()
    for _ in range(3):
        left.send({"type": "big", "filler": "x" * 300_000}, {"end": writer})
    right.receive()  # a part of the first frame, and its descriptor
    left.close()
    right.close()
    os.close(writer)
    os.close(reader)
    assert len(descriptors()) == len(before) - 2
    with pytest.raises(BrokenPipeError):
        left.send({"type": "late"})


def test_descriptors_that_find_no_room_cost_their_frame_only(channels):
    left, right = channels
    reader, writer = os.pipe()
    left.send({"type": "before"})
    left.send({"type": "two"}, {"x": reader, "y": writer})
    left.send({"type": "after"})
    os.close(writer)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(descriptors()), LIMITS[1]))
    filler = []
    try:
        with contextlib.suppress(OSError):  # the limit is reached
            while True:
                filler.append(os.dup(0))
        got = received(right, 3)
        assert [(message.kind, message.lost) for message in got] == [("before", False), ("two", True), ("after", False)]
        assert all(not message.descriptors for message in got)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, LIMITS)
        for fd in filler:
            os.close(fd)
    left.send({"type": "later"}, {"z": reader})
    os.close(reader)
    (later,) = received(right, 1)
    assert (later.lost, set(later.descriptors)) == (False, {"z"})
    later.close()


def test_frame_that_needs_no_queue_needs_no_copies_of_its_descriptors(channels):
    left, right = channels
    reader, writer = os.pipe()
    with no_more(resource.RLIMIT_NOFILE):
        left.send({"type": "two"}, {"x": reader, "y": writer})
    os.close(reader)
    os.close(writer)
    (message,) = received(right, 1)
    assert set(message.descriptors) == {"x", "y"}
    message.close()


def test_descriptors_that_no_frame_names_are_an_error(channels):
    left, right = channels
    socket.send_fds(left.sock, [encode({"type": "none"})], [0])
    with pytest.raises(KeeperFrameError, match="1 descriptors arrived that no frame names"):
        received(right, 2)


def test_channel_knows_the_user_at_the_other_end(channels):
    assert channels[0].peer_uid() == os.geteuid()
