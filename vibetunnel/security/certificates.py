"""The server's certificate: loaded from files, replaced when they change, or made here (--tls-self-signed)."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from vibetunnel import paths
from vibetunnel.errors import StartFailed
from vibetunnel.security.addresses import canonical
from vibetunnel.settings import Settings

FOLDER = "tls"  # in the state folder
CERTIFICATE = "cert.pem"
KEY = "key.pem"
LIFETIME = datetime.timedelta(days=397)  # the longest that browsers accept
RENEW = datetime.timedelta(days=30)  # before its end
LOOK_S = 10.0  # between two looks at the files
DUE_S = 3600.0  # between two looks at the expiry of a certificate that was made here
MAX_NAME = 64  # characters of a common name (RFC 5280, ub-common-name)

_State = tuple[tuple[int, int, int, int] | None, ...]

log = logging.getLogger(__name__)


class Certificate:
    """The certificate of a running server. A change makes a new `context`.

    on_change  gets the new context; present connections keep the old one
    failed     why the last look at the files found no usable certificate; "": it did
    given_up   two looks failed; the next try is when the files change
    """

    def __init__(self, settings: Settings, on_change: Callable[[ssl.SSLContext], None] = lambda _: None) -> None:
        """Raises StartFailed if there is no certificate, or it does not belong to its key; NotPrivate."""
        self._settings = settings
        self._on_change = on_change
        self._watching: asyncio.Task[None] | None = None
        self.failed = ""
        self.given_up = False
        self._due = time.monotonic() + DUE_S
        self._seen, self.context = self._loaded(settings)
        self.fingerprint = _fingerprint(self._files(settings)[0])

    def watch(self) -> None:
        """Start looking for a newer certificate, and renew one that was made here before it expires."""
        self._watching = asyncio.create_task(self._watch())  # owned: close() cancels it

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    def reload(self, settings: Settings) -> bool:
        """Load the files that `settings` name. Raises StartFailed, NotPrivate; the old certificate then stays."""
        before, self._settings = self._settings, settings
        try:
            state, context = self._loaded(settings)
        except BaseException:
            self._settings = before
            raise
        changed = state != self._seen
        self._adopt(state, context)
        return changed

    def _adopt(self, state: _State, context: ssl.SSLContext) -> None:
        self._seen, self.context, self.failed, self.given_up = state, context, "", False
        self.fingerprint = _fingerprint(self._files(self._settings)[0])
        self._on_change(context)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look()
            except Exception:  # the next look must come all the same
                log.exception("the look at the certificate failed")

    async def _look(self) -> None:
        """Load files that have changed. If only one of the two has been replaced so far, the next look tries again."""
        settings = self._settings
        try:
            state = await asyncio.to_thread(self._state)
            due = settings.tls_self_signed and time.monotonic() >= self._due
            if due:
                self._due = time.monotonic() + DUE_S
            if state == self._seen and not (due and await asyncio.to_thread(_is_due, settings)):
                return
            state, context = await asyncio.to_thread(self._loaded, settings)
        except (StartFailed, paths.NotPrivate) as error:
            if str(error) == self.failed:  # the second time: this is not a replacement under way
                log.warning("the certificate stays the old one: %s", error)
                self._seen = state
                self.given_up = True
            self.failed = str(error)
            return
        if settings is self._settings:  # reload() has not changed them meanwhile
            self._adopt(state, context)
            log.info("a new certificate: %s", self.fingerprint)

    def _state(self) -> _State:
        """What changes if a file is replaced."""
        return tuple(_state(path) for path in self._files(self._settings))

    @staticmethod
    def _files(settings: Settings) -> tuple[Path, Path]:
        if settings.tls_self_signed:
            folder = settings.state_dir / FOLDER
            return folder / CERTIFICATE, folder / KEY
        assert settings.tls_cert is not None
        assert settings.tls_key is not None
        return settings.tls_cert, settings.tls_key

    def _loaded(self, settings: Settings) -> tuple[_State, ssl.SSLContext]:
        """The state of the files, and a context made of them. Raises as _load() does."""
        state = self._state()  # before loading: the next look notices a replacement in between
        context = self._load(settings)
        return self._state() if settings.tls_self_signed else state, context  # it may have been made just now

    def _load(self, settings: Settings) -> ssl.SSLContext:
        if settings.tls_self_signed and _is_due(settings):
            make(settings.state_dir / FOLDER, [*names(settings), *_own_addresses()])
        chain, key = self._files(settings)
        if settings.tls_self_signed:
            paths.read_private(key)  # raises if others may read it
            try:
                return _context(chain, key)
            except StartFailed:  # certificate and key are of different pairs: making them was interrupted
                make(settings.state_dir / FOLDER, [*names(settings), *_own_addresses()])
        return _context(chain, key)


def _context(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(chain, key, _no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        given = f"--tls-cert {chain}, --tls-key {key}"
        raise StartFailed(f"{given}: expected a certificate and its key (PEM): {error}") from error
    return context


def _no_password() -> str:
    """Without this, OpenSSL would ask for the password on the terminal, and wait."""
    raise ValueError("the key has a password: remove it with `openssl pkey`")


def _fingerprint(chain: Path) -> str:
    """SHA-256 of the server's own certificate, as browsers show it (`AB:CD:...`); "": it cannot be read."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    try:
        pem = chain.read_text(encoding="ascii", errors="replace")
        first = begin + pem.partition(begin)[2].partition(end)[0] + end  # the certificates of its issuers follow
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).digest().hex(":").upper()
    except (OSError, ValueError):
        return ""


def _state(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def names(settings: Settings) -> list[str]:
    """The names that the certificate needs: this machine's, as far as the settings know them."""
    host = "" if settings.unix_socket else settings.bind.strip("[]")
    found = ["localhost", "127.0.0.1", "::1", socket.gethostname(), *settings.allow_host]
    found += [host] if host not in ("", "0.0.0.0", "::") else []  # noqa: S104 (compared, not bound)
    found.append(urlsplit(settings.url).hostname or "")
    return list(dict.fromkeys(canonical(each.lower().rstrip(".")) for each in found if each and each.isascii()))


def _own_addresses() -> list[str]:
    """Addresses that others may reach this machine by, today. Nothing is sent to find them out."""
    found = []
    for family, there in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):  # for documentation
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((there, 9))
            found.append(str(probe.getsockname()[0]).partition("%")[0])
    return found


def make(folder: Path, wanted: Iterable[str]) -> None:
    """A new key (P-256) and a certificate that it signs itself, in private files. Raises NotPrivate.

    wanted  host names and addresses
    """
    from cryptography import x509  # here: with --tls-cert it is not needed
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    entries: list[x509.GeneralName] = []
    for each in dict.fromkeys(wanted):
        try:
            entries.append(x509.IPAddress(ipaddress.ip_address(each)))
        except ValueError:
            with contextlib.suppress(ValueError):  # a name that a certificate cannot have
                entries.append(x509.DNSName(each))
    key = ec.generate_private_key(ec.SECP256R1())  # what every browser takes; Ed25519 is not
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"vibetunnel on {socket.gethostname()}"[:MAX_NAME])])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(entries), critical=False)
        .add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )  # it may not sign other certificates
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths.private_dir(folder)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    paths.write_private(folder / KEY, secret)
    paths.write_private(folder / CERTIFICATE, made.public_bytes(serialization.Encoding.PEM))


def _is_due(settings: Settings) -> bool:
    """Whether the certificate has to be made (again): there is none, it expires soon, or it has other names."""
    from cryptography import x509

    folder = settings.state_dir / FOLDER
    try:
        paths.private_dir(folder)
        found = x509.load_pem_x509_certificate(paths.read_private(folder / CERTIFICATE))
        (folder / KEY).lstat()
        alternative = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return True
    there = {str(each.value) for each in alternative}
    now = datetime.datetime.now(datetime.UTC)
    return found.not_valid_after_utc - RENEW <= now or not set(names(settings)) <= there
