"""What must hold in the clear and over TLS."""

from __future__ import annotations

import asyncio
import json
import re
import resource
import ssl

from harness import DEADLINE_S, WEBSOCKET, Running, no_more


async def answer(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """(status line, body) of the next answer on a connection."""
    async with asyncio.timeout(DEADLINE_S):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search("Content-Length: ([0-9]+)", head)
        return head.partition("\r\n")[0], await reader.readexactly(int(length[1]) if length else 0)


async def upgrade_without_descriptors(server: Running, tls: ssl.SSLContext | None = None) -> None:
    """Refused while there is no descriptor left, and let in on the same connection when there is."""
    session = await server.session(["sh", "-c", "echo ready; cat"], spawn="now")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port, ssl=tls)
    bearer = f"Host: localhost\r\nAuthorization: {server.bearer['Authorization']}\r\n"
    upgrade = "".join(f"{name}: {value}\r\n" for name, value in WEBSOCKET.items())
    request = f"GET /ws?sessionId={session}&since=0 HTTP/1.1\r\n{bearer}{upgrade}\r\n".encode()
    writer.write(f"GET /api/health HTTP/1.1\r\n{bearer}\r\n".encode())
    assert (await answer(reader))[0].startswith("HTTP/1.1 200 ")
    with no_more(resource.RLIMIT_NOFILE):
        writer.write(request)
        status, body = await answer(reader)
    assert status.startswith("HTTP/1.1 503 ")
    assert json.loads(body)["error"].startswith("No room for another connection: ")
    writer.write(request)
    assert (await answer(reader))[0].startswith("HTTP/1.1 101 ")
    async with asyncio.timeout(DEADLINE_S):
        await reader.readuntil(b"ready\r\n")
    writer.close()
    await writer.wait_closed()
