"""Passwords: hashed with Argon2id, compared as text, at the same cost for unknown users."""

from __future__ import annotations

import asyncio
import threading
import unicodedata

import pytest
from cryptography.hazmat.primitives.kdf import argon2
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from vibetunnel.errors import InvalidField, RateLimited
from vibetunnel.security import passwords

# PHC strings of the reference implementation's own tests (phc-winner-argon2, test.c: version 0x13, Argon2id).
REFERENCE = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"


async def test_a_password_is_right_and_another_is_not() -> None:
    phc = await passwords.hash_password("correct horse")
    assert phc.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "horse" not in phc
    assert await passwords.verify("correct horse", phc)
    for wrong in ("", "correct hors", "Correct horse", "correct horse ", "correct horse\0", "correct horse" * 1000):
        assert not await passwords.verify(wrong, phc)
    assert phc != await passwords.hash_password("correct horse")  # a salt of its own


async def test_a_hash_of_the_reference_implementation_is_understood_and_out_of_date() -> None:
    assert await passwords.verify("password", REFERENCE)
    assert not await passwords.verify("passwort", REFERENCE)
    assert passwords.needs_rehash(REFERENCE)
    assert not passwords.needs_rehash(await passwords.hash_password("correct horse"))


@pytest.mark.parametrize(
    "phc",
    [
        None, "", "x", "$argon2id$", "$2b$10$abcdefghijklmnopqrstuu", "$argon2id$v=19$m=19456,t=2,p=1$!$!",
        "$argon2id$v=19$m=1,t=0,p=0$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=9999999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        REFERENCE.replace("argon2id", "argon2i"), REFERENCE.replace("v=19", "v=16"), REFERENCE + "$x", REFERENCE[:-3],
    ],
)  # fmt: skip
async def test_no_password_matches_an_invalid_hash(phc: str | None) -> None:
    for tried in ("", "password", "\ud800"):
        assert not await passwords.verify(tried, phc)


@pytest.mark.parametrize("tried", ["password", "", "x" * 5000, "\ud800"])
@pytest.mark.parametrize("phc", [None, "", "$2b$10$abcdefghijklmnopqrstuu"])
async def test_an_unknown_user_costs_as_much_as_a_known_one(
    monkeypatch: pytest.MonkeyPatch, tried: str, phc: str | None
) -> None:
    """Counted, not timed: one derivation with today's parameters, whatever is wrong."""
    made: list[tuple[int, int, int]] = []

    class Counting:
        def __init__(self, *, salt: bytes, length: int, iterations: int, lanes: int, memory_cost: int) -> None:
            made.append((memory_cost, iterations, lanes))
            self._real = Argon2id(salt=salt, length=length, iterations=iterations, lanes=lanes, memory_cost=memory_cost)

        def derive(self, password: bytes) -> bytes:
            return self._real.derive(password)

        verify_phc_encoded = staticmethod(Argon2id.verify_phc_encoded)

    monkeypatch.setattr(argon2, "Argon2id", Counting)
    assert not await passwords.verify(tried, phc)
    assert made == [(19456, 2, 1)]


async def test_the_same_text_is_the_same_password_however_a_keyboard_spells_it() -> None:
    phc = await passwords.hash_password("Crème brûlée")
    assert await passwords.verify(unicodedata.normalize("NFD", "Crème brûlée"), phc)
    assert await passwords.verify("Crème\u00a0brûlée", phc)  # RFC 8265 §4.2.2: every space is U+0020
    assert not await passwords.verify("Ｃrème brûlée", phc)  # full width is another letter


@pytest.mark.parametrize(
    "password", ["", "seven77", "ü" * 7, "x" * 1025, "ü" * 513, "x\0x" * 8, "\ud800" * 8, "\t" * 8]
)
async def test_a_password_that_cannot_be_is_refused_and_not_repeated(password: str) -> None:
    with pytest.raises(InvalidField, match="password: expected") as caught:
        await passwords.hash_password(password)
    assert not password or password not in str(caught.value)


@pytest.mark.parametrize("password", ["x" * 8, "x" * 1024, "ü" * 512, "🐎" * 8, "        "])
async def test_the_longest_and_the_shortest_work(password: str) -> None:
    assert await passwords.verify(password, await passwords.hash_password(password))


async def test_strangers_leave_room_for_others_in_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(passwords, "_verify", lambda *_given: go_on.wait())
    waiting = [
        asyncio.create_task(passwords.verify("correct horse", None, stranger=True))
        for _ in range(passwords.OF_STRANGERS)
    ]
    try:
        await asyncio.sleep(0)
        with pytest.raises(RateLimited):
            await passwords.verify("correct horse", None, stranger=True)
        waiting.append(asyncio.create_task(passwords.verify("correct horse", None)))
        await asyncio.sleep(0)
        assert not waiting[-1].done()
    finally:
        go_on.set()
    assert all(await asyncio.gather(*waiting))
    assert await passwords.verify("correct horse", None, stranger=True)


async def test_hashing_does_not_hold_up_the_loop_and_its_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(_password: bytes) -> str:
        begun.release()
        go_on.wait()
        return "done"

    monkeypatch.setattr(passwords, "_hash", slow)
    waiting = [
        asyncio.create_task(passwords.hash_password("correct horse"))
        for _ in range(passwords.THREADS + passwords.WAITING)
    ]
    try:
        await asyncio.to_thread(begun.acquire)  # the loop runs while one is under way
        with pytest.raises(RateLimited):
            await passwords.verify("correct horse", None)
        waiting.pop().cancel()  # a client that disconnects makes room
        while passwords._places._value == 0:
            await asyncio.sleep(0)
    finally:
        go_on.set()
    assert set(await asyncio.gather(*waiting)) == {"done"}
    assert not await passwords.verify("correct horse", None)
