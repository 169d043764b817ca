"""SSH keys: keys that OpenSSH wrote are read, their signatures are verified, and all others are refused."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from vibetunnel.errors import InvalidField
from vibetunnel.security import ssh_keys, ssh_login
from vibetunnel.security.principal import Role
from vibetunnel.security.ssh_keys import SshKey, parse_authorized_keys, parse_key
from vibetunnel.security.ssh_login import Challenges
from vibetunnel.security.users import Users

DATA = bytes(range(32))
KINDS = ["ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048"]
Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """kind -> private key file, made by ssh-keygen; beside it its .pub."""
    folder, found = tmp_path_factory.mktemp("keys"), {}
    for kind in KINDS:
        name, _, bits = kind.partition("-")
        size = ["-b", bits] if bits else []
        found[kind] = folder / kind
        subprocess.run(
            ["ssh-keygen", "-q", "-t", name, *size, "-N", "", "-C", f"me@{kind}", "-f", found[kind]], check=True
        )
    return found


def public(path: Path) -> str:
    return path.with_name(path.name + ".pub").read_text()


def private(path: Path) -> Private:
    found = load_ssh_private_key(path.read_bytes(), None)
    assert isinstance(found, Private)
    return found


def line_of(key: Private, comment: str = "") -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + f" {comment}"


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def mpint(number: int) -> bytes:
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def signatures(key: Private, data: bytes = DATA) -> dict[str, bytes]:
    """Every form in which a client may send its signature."""
    match key:
        case ed25519.Ed25519PrivateKey():
            plain = key.sign(data)
            return {"raw": plain, "ssh": string(b"ssh-ed25519") + string(plain)}
        case rsa.RSAPrivateKey():
            sha256 = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
            sha512 = key.sign(data, padding.PKCS1v15(), hashes.SHA512())
            return {
                "sha256": sha256,
                "sha512": sha512,
                "ssh256": string(b"rsa-sha2-256") + string(sha256),
                "ssh512": string(b"rsa-sha2-512") + string(sha512),
            }
    bits = key.curve.key_size
    algorithm = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[bits]
    der = key.sign(data, ec.ECDSA(algorithm))
    r, s = utils.decode_dss_signature(der)
    half = (bits + 7) // 8
    return {
        "der": der,
        "raw": r.to_bytes(half, "big") + s.to_bytes(half, "big"),
        "ssh": string(f"ecdsa-sha2-nistp{bits}".encode()) + string(mpint(r) + mpint(s)),
    }


# Keys


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_of_ssh_keygen_is_read_and_has_its_fingerprint(made: dict[str, Path], kind: str) -> None:
    key = parse_key(public(made[kind]))
    shown = subprocess.check_output(["ssh-keygen", "-l", "-f", f"{made[kind]}.pub"], text=True).split()
    assert key.fingerprint == shown[1]
    assert key.comment == f"me@{kind}"


def test_keys_that_are_too_weak_or_unusual_are_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    with pytest.raises(InvalidField, match=r"key: expected the line of a \.pub file"):
        parse_key(line_of(weak))
    parse_key(line_of(rsa.generate_private_key(65537, 2048)))
    # A stranger's key with a huge exponent would cost the server's time.
    numbers = rsa.RSAPublicNumbers(
        e=(1 << 2000) + 1, n=rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    )
    text = numbers.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    with pytest.raises(InvalidField):
        parse_key(text)


def test_a_key_is_what_it_says_it_is(made: dict[str, Path]) -> None:
    name, blob, _ = public(made["ed25519"]).split()
    other = public(made["ecdsa-256"]).split()[1]
    raw = base64.b64decode(blob)
    for line in (
        "",
        name,
        blob,
        f"{name} {other}",
        f"ecdsa-sha2-nistp256 {blob}",
        f"ssh-dss {blob}",
        f"sk-ssh-ed25519@openssh.com {blob}",
        f"ssh-ed25519-cert-v01@openssh.com {blob}",
        f"{name} {blob[:-4]}",
        f"{name} {blob}=",
        f"{name} {blob[:20]} {blob[20:]}",
        f"{name} {base64.b64encode(raw + b'x').decode()}",
        f"{name} {base64.b64encode(raw[:-1]).decode()}",
        f"restrict {name} {blob}",
        f"{name} {blob} " + "x" * 20000,
        "ssh-ed25519 \u00e9\ud800",
    ):
        with pytest.raises(InvalidField):
            parse_key(line)


def test_a_comment_cannot_talk_to_a_terminal(made: dict[str, Path]) -> None:
    name, blob, _ = public(made["ed25519"]).split()
    key = parse_key(f"{name} {blob} \x1b]0;evil\x07 and\u202e " + "x" * 1000)
    assert key.comment.startswith("]0;evil and ")
    assert key.comment.isprintable()
    assert len(key.comment) <= ssh_keys.MAX_COMMENT


@given(st.text(max_size=300))
def test_no_text_breaks_the_parser(text: str) -> None:
    for line in (text, f"ssh-ed25519 {text}", f"ssh-rsa AAAAB3NzaC1yc2E{text}", f'command="{text}'):
        assert isinstance(parse_authorized_keys(line), list)


# authorized_keys


def test_authorized_keys_by_field(made: dict[str, Path]) -> None:
    lines = {kind: public(path).strip() for kind, path in made.items()}
    text = "\n".join(
        [
            "# " + lines["rsa-2048"],  # a comment is no key
            "",
            "  " + lines["ed25519"],
            f"no-port-forwarding,no-X11-forwarding,pty {lines['ecdsa-256']}",
            f'command="echo \\"hi\\" there",no-pty {lines["ecdsa-384"]}',  # could not be honoured
            "ssh-rsa " + lines["ecdsa-521"].split()[1],  # a key of another type
            "x" * 20000,
            f'environment="A={lines["rsa-2048"]}" {lines["rsa-2048"]}',
        ]
    )
    assert [key.comment for key in parse_authorized_keys(text)] == ["me@ed25519", "me@ecdsa-256"]


@pytest.mark.parametrize(
    "options",
    [
        "restrict", "no-pty", 'from="10.0.0.0/8"', 'command="ls"', "cert-authority", 'expiry-time="20200101"',
        'principals="x"', "no-touch-required", "unheard-of", 'pty,from="*"', 'pty,"', ",", 'tunnel="0"', "PTY,Restrict",
    ],
)  # fmt: skip
def test_a_key_whose_options_we_cannot_honour_is_left_out(made: dict[str, Path], options: str) -> None:
    line = public(made["ed25519"])
    assert parse_authorized_keys(f"{options} {line}") == []
    assert len(parse_authorized_keys(f"PTY,no-agent-forwarding\t{line}")) == 1


def test_the_accounts_own_file_is_read(made: dict[str, Path], home: Path) -> None:
    assert ssh_keys.read_authorized_keys(home) == []
    write(home, public(made["ed25519"]))
    assert [key.comment for key in ssh_keys.read_authorized_keys(home)] == ["me@ed25519"]


@pytest.mark.parametrize("what", ["", ".ssh", ".ssh/authorized_keys"])
def test_a_file_that_others_could_have_written_has_no_keys(made: dict[str, Path], home: Path, what: str) -> None:
    write(home, public(made["ed25519"]))
    path = home / what
    path.chmod(path.stat().st_mode | 0o020)
    assert ssh_keys.read_authorized_keys(home) == []


def test_a_link_to_a_place_where_others_can_write_has_no_keys(made: dict[str, Path], home: Path) -> None:
    write(home, public(made["ed25519"]))
    open_to_all = home.parent / "shared"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    file = home / ".ssh" / "authorized_keys"
    file.rename(open_to_all / "keys")
    file.symlink_to(open_to_all / "keys")
    assert ssh_keys.read_authorized_keys(home) == []


def test_a_special_or_endless_file_has_no_keys(made: dict[str, Path], home: Path) -> None:
    write(home, public(made["ed25519"]))
    file = home / ".ssh" / "authorized_keys"
    file.unlink()
    os.mkfifo(file, 0o600)  # opening it must not wait for a writer
    assert ssh_keys.read_authorized_keys(home) == []
    file.unlink()
    file.symlink_to(file)
    assert ssh_keys.read_authorized_keys(home) == []
    file.unlink()
    write(home, public(made["ed25519"]) + "#" * ssh_keys.MAX_FILE)
    assert ssh_keys.read_authorized_keys(home) == []
    write(home, "\xff\xfe\0\n" + public(made["ed25519"]))
    assert len(ssh_keys.read_authorized_keys(home)) == 1


@pytest.fixture
def home(folder: Path) -> Path:
    (folder / "home" / ".ssh").mkdir(parents=True, mode=0o700)
    (folder / "home").chmod(0o755)
    return folder / "home"


def write(home: Path, text: str) -> None:
    file = home / ".ssh" / "authorized_keys"
    file.write_text(text, encoding="latin-1")
    file.chmod(0o600)


# Signatures


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_a_signature_is_accepted(made: dict[str, Path], kind: str) -> None:
    key = parse_key(public(made[kind]))
    for form, signature in signatures(private(made[kind])).items():
        assert ssh_keys.verify(key, signature, DATA), form
        assert not ssh_keys.verify(key, signature, DATA + b"x"), form
        assert not ssh_keys.verify(key, signature, DATA[:-1]), form
        for at in (0, len(signature) // 2, len(signature) - 1):
            broken = bytearray(signature)
            broken[at] ^= 1
            assert not ssh_keys.verify(key, bytes(broken), DATA), (form, at)
        assert not ssh_keys.verify(key, signature + b"\0", DATA), form
        assert not ssh_keys.verify(key, signature[:-1], DATA), form


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_of_another_key_is_refused(made: dict[str, Path], kind: str) -> None:
    for other in KINDS:
        if other != kind:
            for signature in signatures(private(made[other])).values():
                assert not ssh_keys.verify(parse_key(public(made[kind])), signature, DATA)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-256", "rsa-2048"])
def test_signatures_of_openssl_are_accepted(made: dict[str, Path], kind: str, tmp_path: Path) -> None:
    """An implementation that is not the one which checks: the `openssl` command of the system."""
    pem, data, out = tmp_path / "key.pem", tmp_path / "data", tmp_path / "signature"
    pem.write_bytes(private(made[kind]).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    data.write_bytes(DATA)
    digest = ["-rawin"] if kind == "ed25519" else ["-rawin", "-digest", "sha256"]
    subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", pem, *digest, "-in", data, "-out", out], check=True)
    assert ssh_keys.verify(parse_key(public(made[kind])), out.read_bytes(), DATA)


def test_sha1_and_other_hashes_are_refused(made: dict[str, Path]) -> None:
    key = private(made["rsa-2048"])
    assert isinstance(key, rsa.RSAPrivateKey)
    line = parse_key(public(made["rsa-2048"]))
    sha1 = key.sign(DATA, padding.PKCS1v15(), hashes.SHA1())
    pss = key.sign(DATA, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    sha512 = signatures(key)["sha512"]
    for signature in (sha1, pss, string(b"ssh-rsa") + string(sha1), string(b"rsa-sha2-256") + string(sha512)):
        assert not ssh_keys.verify(line, signature, DATA)
    curve = private(made["ecdsa-384"])
    assert isinstance(curve, ec.EllipticCurvePrivateKey)
    other = curve.sign(DATA, ec.ECDSA(hashes.SHA256()))
    assert not ssh_keys.verify(parse_key(public(made["ecdsa-384"])), other, DATA)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(signature=st.one_of(st.binary(max_size=600), st.binary(min_size=64, max_size=64), st.just(b"")))
def test_no_bytes_break_the_check(made: dict[str, Path], kind: str, signature: bytes) -> None:
    key = parse_key(public(made[kind]))
    for tried in (signature, string(key.type.encode()) + string(signature), bytes(64), bytes(132), b"\0" * 5000):
        assert not ssh_keys.verify(key, tried, DATA)
    zero = string(key.type.encode()) + string(mpint(0) + mpint(0))
    assert not ssh_keys.verify(key, zero, DATA)
    assert not ssh_keys.verify(SshKey("ssh-ed25519", "broken"), signature, DATA)


def test_signatures_of_the_agent_are_accepted(made: dict[str, Path]) -> None:
    """A real ssh-agent, asked over its socket (draft-ietf-sshm-ssh-agent §3.6) to sign the challenge as it is."""
    import socket
    import tempfile

    with tempfile.TemporaryDirectory(prefix="vt") as folder:
        address = f"{folder}/a"
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", address], stdout=subprocess.PIPE)
        try:
            assert agent.stdout
            agent.stdout.readline()  # it listens
            environment = {**os.environ, "SSH_AUTH_SOCK": address}
            for kind in KINDS:
                subprocess.run(["ssh-add", "-q", str(made[kind])], env=environment, check=True)
            for kind in KINDS:
                key = parse_key(public(made[kind]))
                flags = 4 if kind.startswith("rsa") else 0  # SSH_AGENT_RSA_SHA2_512
                request = b"\x0d" + string(base64.b64decode(key.blob)) + string(DATA) + flags.to_bytes(4, "big")
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(address)
                    connection.sendall(string(request))
                    stream = connection.makefile("rb")
                    answer = stream.read(int.from_bytes(stream.read(4), "big"))
                    stream.close()
                assert answer[0] == 14  # SSH_AGENT_SIGN_RESPONSE
                assert ssh_keys.verify(key, answer[5:], DATA), kind
        finally:
            agent.terminate()
            agent.communicate()


# Challenges and logins


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_challenge_is_random_and_good_once() -> None:
    challenges = Challenges()
    one, other = challenges.issue("ada"), challenges.issue("ada")
    assert len(one.data) == 32
    assert one.data != other.data
    assert base64.b64decode(one.text) == one.data
    assert challenges.take(one.id) == one
    assert challenges.take(one.id) is None
    assert challenges.take("") is None
    assert challenges.take(other.id) == other


def test_a_challenge_ends_after_a_minute() -> None:
    clock = Clock()
    challenges = Challenges(clock)
    early = challenges.issue("ada")
    clock.now += 59.9
    late = challenges.issue("ada")
    clock.now += 0.1
    assert challenges.take(early.id) is None
    assert challenges.take(late.id) == late
    assert len(challenges) == 1
    clock.now += 60
    assert challenges.take("") is None
    assert len(challenges) == 0


def test_however_many_clients_ask_nothing_is_remembered_and_no_challenge_is_pushed_out() -> None:
    challenges = Challenges()
    first = challenges.issue("x" * 100_000)
    assert len(first.user) <= 256
    for _ in range(20_000):
        challenges.issue("nobody")
    assert len(challenges) == 0
    assert challenges.take(first.id) == first


def test_used_challenges_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_login, "USED", 3)
    challenges = Challenges()
    unused = challenges.issue("ada")
    used = [challenges.issue("ada").id for _ in range(5)]
    late = challenges.issue("ada")
    assert all(challenges.take(each) for each in used)
    assert len(challenges) == 3
    assert [challenges.take(each) for each in used] == [None] * 5  # those that were forgotten, too
    assert challenges.take(unused.id) is None  # as old as a forgotten one
    assert challenges.take(late.id) == late


def test_a_challenge_that_the_server_has_not_made_is_none() -> None:
    challenges, others = Challenges(), Challenges()
    mine = challenges.issue("ada").id
    raw = bytearray(base64.urlsafe_b64decode(mine + "=" * (-len(mine) % 4)))
    raw[-3:] = b"bob"
    forged = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    spelt = mine[:-1] + chr(ord(mine[-1]) + 1) if len(mine) % 4 else mine + "="
    for each in (
        forged,
        spelt,
        others.issue("ada").id,
        mine[:-4],
        mine + "AAAA",
        mine + "=",
        "é",
        "\udcff",
        "A" * 1024,
    ):
        assert challenges.take(each) is None, each
    assert challenges.take(mine)


async def test_only_the_users_own_keys_let_in(made: dict[str, Path], home: Path, folder: Path) -> None:
    users = Users(folder / "users.json")
    await users.add("ada", Role.WRITER)
    await users.add("eve", Role.WRITER)
    await users.add_key("ada", public(made["ed25519"]))
    write(home, public(made["rsa-2048"]))
    challenges = Challenges()

    async def attempt(user: str, kind: str, signer: str = "") -> str:
        challenge = challenges.issue(user)
        signature = next(iter(signatures(private(made[signer or kind]), challenge.data).values()))
        text = base64.b64encode(signature).decode()
        return await ssh_login.refusal(challenge, public(made[kind]), text, users, "root", home)

    assert await attempt("ada", "ed25519") == ""
    assert await attempt("eve", "ed25519") == "SSH key not authorized for this user"
    assert await attempt("nobody", "ed25519") == "SSH key not authorized for this user"
    assert await attempt("ada", "ed25519", "ecdsa-256") == "Invalid SSH key signature"
    assert await attempt("nobody", "ed25519", "ecdsa-256") == "Invalid SSH key signature"
    # The account that runs the server has its own file, which counts for no other user.
    assert await attempt("root", "rsa-2048") == ""
    assert await attempt("ada", "rsa-2048") == "SSH key not authorized for this user"
    await users.change("ada", disabled=True)
    assert await attempt("ada", "ed25519") == "SSH key not authorized for this user"
    await users.close()


async def test_a_signature_of_another_challenge_is_worth_nothing(made: dict[str, Path], folder: Path) -> None:
    users = Users(folder / "users.json")
    await users.add("ada", Role.WRITER)
    await users.add_key("ada", public(made["ed25519"]))
    challenges = Challenges()
    one, other = challenges.issue("ada"), challenges.issue("ada")
    text = base64.b64encode(signatures(private(made["ed25519"]), one.data)["raw"]).decode()
    line = public(made["ed25519"])
    assert await ssh_login.refusal(other, line, text, users, "root", folder) == "Invalid SSH key signature"
    for broken in ("", "!", text[:-1], text + "=", " " + text, "é", "A" * 100_000):
        assert await ssh_login.refusal(one, line, broken, users, "root", folder) == "Invalid SSH key signature"
    assert await ssh_login.refusal(one, "nonsense", text, users, "root", folder) == "Invalid SSH key signature"
    assert await ssh_login.refusal(one, line, text, users, "root", folder) == ""
    await users.close()
