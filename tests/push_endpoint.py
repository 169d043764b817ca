"""A push service on loopback, and a browser that subscribes to it: what the server sends is decrypted and checked."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import json
import secrets
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import http_ece
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from harness import until

from vibetunnel.push.endpoint import IPAddress
from vibetunnel.push.sender import Reach

HOST = "push.example"
CONTACT = "mailto:ops@example.org"
ON = {"push": True, "push_contact": CONTACT}  # the settings of a server with push


class Posted(NamedTuple):
    """One request that the push service got."""

    path: str
    headers: dict[str, str]
    body: bytes


class PushEndpoint:
    """Collects what is posted, and answers with `answer`.

    silent  paths for which it never answers
    """

    def __init__(self, folder: Path, address: str = "127.0.0.1", port: int = 0) -> None:
        self.posted: list[Posted] = []
        self.connections = 0
        self.answer = answered(201)
        self.silent: set[str] = set()
        self.address = address
        self.port = port
        self._certificate = certificate(folder / "push.pem")
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def reach(self) -> Reach:
        """Every name leads here, and this is a push service."""

        async def look_up(host: str, port: int) -> list[tuple[int, Any]]:
            return [found(self.address, port)]

        def allowed(address: IPAddress) -> bool:
            return address.is_loopback

        trusting = ssl.create_default_context(cafile=self._certificate)
        return Reach(ports=frozenset({self.port}), look_up=look_up, allowed=allowed, tls=trusting)

    def url(self, path: str = "/send/x") -> str:
        return f"https://{HOST}:{self.port}{path}"

    async def arrived(self, count: int = 1) -> list[Posted]:
        """What was posted, as soon as there is so much."""
        return await until(lambda: self.posted if len(self.posted) >= count else None)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[PushEndpoint]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        server = await asyncio.start_server(self._serve, self.address, self.port, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for each in [*self._open]:
                each.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.posted.append(Posted(first.split()[1], headers, body))
            if self.posted[-1].path in self.silent:
                await reader.read()
            else:
                writer.write(self.answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()


def found(address: str, port: int) -> tuple[int, Any]:
    """An address, as getaddrinfo() gives it."""
    return (socket.AF_INET6, (address, port, 0, 0)) if ":" in address else (socket.AF_INET, (address, port))


def answered(status: int, *lines: str, body: bytes = b"") -> bytes:
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


class PushBrowser:
    """The keys that a browser makes for one subscription."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._auth = secrets.token_bytes(16)

    def subscription(self, endpoint: str) -> dict[str, Any]:
        """As JSON.stringify(PushSubscription) gives it."""
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {
            "endpoint": endpoint,
            "expirationTime": None,
            "keys": {"p256dh": base64url(point), "auth": base64url(self._auth)},
        }

    def opened(self, posted: Posted) -> Any:
        """The message, decrypted."""
        assert posted.headers["content-encoding"] == "aes128gcm"
        return json.loads(http_ece.decrypt(posted.body, private_key=self._private, auth_secret=self._auth))


def claims(posted: Posted, audience: str, public_key: str) -> dict[str, Any]:
    """What the VAPID token says, after its signature was checked with the key that the browser subscribed with."""
    scheme, _, rest = posted.headers["authorization"].partition(" ")
    parts = dict(part.split("=", 1) for part in rest.split(","))
    assert (scheme, parts["k"]) == ("vapid", public_key)
    raw = base64.urlsafe_b64decode(parts["k"] + "=" * (-len(parts["k"]) % 4))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    found: dict[str, Any] = jwt.decode(parts["t"], key, algorithms=["ES256"], audience=audience)
    return found


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def certificate(path: Path) -> Path:
    """A certificate for HOST and every name below `example`, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST), x509.DNSName(f"*.{HOST}")]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    path.write_bytes(pem)
    return path
