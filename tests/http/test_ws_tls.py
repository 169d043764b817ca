"""The same terminals over TLS: the relay between Tornado's stream and the pump."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import ipaddress
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from harness import DEADLINE_S, WEBSOCKET, Running, Serve, until
from scenarios import upgrade_without_descriptors
from snapshot_client import watching
from tornado.ioloop import IOLoop

from vibetunnel.errors import StartFailed
from vibetunnel.http import tls_relay


@pytest.fixture
def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "cert.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(pem, plain, serialization.NoEncryption()))
    return chain, secret


@pytest.fixture
def secure(io_loop: IOLoop, serve: Serve, certificate: tuple[Path, Path]) -> Running:
    chain, key = certificate
    running: Running = io_loop.run_sync(lambda: serve(tls_cert=chain, tls_key=key))
    running.options = {"ca_certs": str(chain)}
    return running


async def test_a_terminal_works_over_tls(secure: Running) -> None:
    assert secure.url.startswith("https://")
    session = await secure.session(["sh", "-c", "echo ready; cat"])
    socket = await secure.attach(session)
    await socket.until(b"ready\r\n")
    await socket.send(b"typed\n")
    await socket.until(b"typed\r\ntyped\r\n")


async def test_snapshots_work_over_tls(secure: Running) -> None:
    session = await secure.session(["sh", "-c", "printf ready; cat"], spawn="now")
    async with watching(secure) as watcher:
        await watcher.subscribe(session)
        await secure.json("POST", f"/api/sessions/{session}/input", {"text": "typed\n"})
        await watcher.until("readytyped\ntyped")


async def test_ten_megabytes_arrive_whole_over_tls_and_then_the_close(secure: Running) -> None:
    size = 10_000_000
    session = await secure.session(["sh", "-c", f"stty raw -echo; echo ready; read go; yes | head -c {size}"])
    socket = await secure.attach(session)
    await socket.until(b"ready\n")  # before that, what is typed is echoed
    await socket.send(b"go\n")
    digest = hashlib.sha256()
    async with asyncio.timeout(DEADLINE_S):
        while (message := await socket.receive()) is not None:
            assert isinstance(message, bytes)
            digest.update(message)
    assert digest.hexdigest() == hashlib.sha256(b"y\n" * (size // 2)).hexdigest()
    assert socket.ending == (1000, "exited 0")


async def test_a_client_that_hangs_up_takes_its_relay_with_it(secure: Running) -> None:
    session = await secure.session(["sh", "-c", "echo ready; cat"])
    socket = await secure.attach(session)
    await socket.until(b"ready")
    relays = secure.server.context.relays
    assert len(relays) == 1
    assert socket.connection.stream is not None
    socket.connection.stream.close()

    async def gone() -> bool:
        return len(relays) == 0 and (await secure.json("GET", f"/api/sessions/{session}"))["clients"] == 0

    await until(gone)


async def test_a_client_that_takes_nothing_loses_its_relay(secure: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_relay, "TAKEN_S", 0.05)
    session = await secure.session(["yes"])
    context = ssl.create_default_context(cafile=secure.options["ca_certs"])
    host, port = secure.url.removeprefix("https://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context, limit=1024)
    request = {**WEBSOCKET, **secure.bearer, "Host": f"{host}:{port}"}
    lines = [f"GET /ws?sessionId={session} HTTP/1.1", *(f"{name}: {value}" for name, value in request.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    await reader.readuntil(b"\r\n\r\n")
    relays = secure.server.context.relays

    async def gone() -> bool:
        return len(relays) == 0

    await until(gone)
    writer.transport.abort()


async def test_a_relay_sends_at_once_and_has_the_kernel_hold_little(secure: Running) -> None:
    joined = []
    relays = secure.server.context.relays
    join = relays.join

    def noted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, plain: socket.socket) -> None:
        join(reader, writer, plain)
        joined.append(writer.get_extra_info("socket"))

    relays.join = noted  # type: ignore[method-assign]
    terminal = await secure.attach(await secure.session(["sh", "-c", "echo ready; cat"]))
    await terminal.until(b"ready")
    assert joined[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert joined[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == tls_relay.BUFFER


async def test_without_a_free_descriptor_it_is_a_503_over_tls_too(secure: Running) -> None:
    context = ssl.create_default_context(cafile=secure.options["ca_certs"])
    await upgrade_without_descriptors(secure, context)


async def test_a_stopping_server_says_1001_over_tls_too(secure: Running) -> None:
    session = await secure.session(["sh", "-c", "echo ready; cat"])
    socket = await secure.attach(session)
    await socket.until(b"ready")
    ending = asyncio.ensure_future(socket.over())
    await secure.server.close()
    assert (await ending)[0] == 1001


async def test_the_cookie_has_the_host_prefix_and_is_secure(secure: Running) -> None:
    response = await secure.fetch("POST", "/api/auth/code", {"code": secure.announcement.code}, login=False)
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-vibetunnel=")
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    headers = {"Cookie": cookie.partition(";")[0], "Origin": secure.url}
    assert (await secure.fetch("GET", "/api/sessions", login=False, headers=headers)).code == 200
    insecure = {"Origin": secure.url.replace("https", "http")}
    assert (await secure.fetch("GET", "/api/sessions", headers=insecure)).code == 403


async def test_the_document_names_the_cookie_of_tls(secure: Running) -> None:
    document = await secure.json("GET", "/api/openapi.json")
    assert document["components"]["securitySchemes"]["cookie"]["name"] == "__Host-vibetunnel"


async def test_an_invalid_certificate_is_reported_at_the_start(serve: Serve, folder: Path) -> None:
    bad = folder / "bad.pem"
    bad.write_text("no certificate")
    with pytest.raises(StartFailed, match="expected a certificate and its key"):
        await serve(tls_cert=bad, tls_key=bad)
