"""System passwords: a real PAM stack whose module has its passwords in a file (pam_wrapper), and what goes wrong."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest

from vibetunnel.errors import RateLimited, StartFailed
from vibetunnel.security import pam

WRAPPER = "libpam_wrapper.so"  # Debian: libpam-wrapper
CHECK = """
import asyncio, ctypes.util, sys
real = ctypes.util.find_library  # by its handle the wrapped library would answer, not the wrapper
ctypes.util.find_library = lambda name: "libpam_wrapper.so" if name == "pam" else real(name)
from vibetunnel.security import pam
pam.require()
async def main():
    for user, password, service in [each.split(":") for each in sys.argv[1:]]:
        print(await pam.check(user, password.replace("NUL", chr(0)), service))
asyncio.run(main())
"""


class FakePam(types.ModuleType):
    """pamela's one function, for what a real PAM cannot be made to do."""

    def __init__(self, answer: object = None) -> None:
        super().__init__("pamela")
        self.asked: list[tuple[str, str, str]] = []
        self._answer = answer

    def authenticate(self, user: str, password: str, *, service: str, resetcred: int, check: bool) -> None:
        assert check  # the account's state, too
        assert resetcred == 0
        self.asked.append((user, password, service))
        if callable(self._answer):
            self._answer()
        if isinstance(self._answer, Exception):
            raise self._answer


def pretend(monkeypatch: pytest.MonkeyPatch, answer: object = None) -> FakePam:
    fake = FakePam(answer)
    monkeypatch.setitem(sys.modules, "pamela", fake)
    return fake


@pytest.mark.skipif(sys.platform != "linux", reason="pam_wrapper wraps the PAM of Linux")
def test_a_real_pam_stack_is_asked(tmp_path: Path) -> None:
    module = next(Path("/usr/lib").glob("**/pam_wrapper/pam_matrix.so"), None)
    assert module is not None, "the tests need pam_wrapper (Debian: libpam-wrapper)"
    for service in ("demo", "closed"):
        account = "pam_deny.so" if service == "closed" else f"{module} passdb={tmp_path}/passdb"
        (tmp_path / service).write_text(
            f"auth required {module} passdb={tmp_path}/passdb\naccount required {account}\n"
        )
    (tmp_path / "passdb").write_text("ada:correct horse:demo\nada:correct horse:closed\n")
    environment = {
        **os.environ,
        "LD_PRELOAD": WRAPPER,
        "PAM_WRAPPER": "1",
        "PAM_WRAPPER_SERVICE_DIR": str(tmp_path),
    }
    tries = {
        "ada:correct horse:demo": True,
        "ada:wrong horse:demo": False,
        "ada:correct horseNULx:demo": False,  # a C string would end at the NUL
        "bob:correct horse:demo": False,
        "ada:correct horse:closed": False,  # the right password of an account that is closed
        "ada:correct horse:nothing-of-this-name": False,
    }
    done = subprocess.run(
        [sys.executable, "-c", CHECK, *tries], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == [str(each) for each in tries.values()], done.stderr


async def test_a_password_that_pam_cannot_take_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = pretend(monkeypatch)
    for user, password, service in (
        ("", "x", "login"),
        ("ada", "", "login"),
        ("ada", "x\0y", "login"),
        ("ada\0", "x", "login"),
        ("ada", "x", ""),
        ("ada", "\ud800", "login"),
        ("ada", "x" * 512, "login"),
    ):
        assert not await pam.check(user, password, service)
    assert fake.asked == []
    assert await pam.check("ada", "x" * 511, "login")


async def test_whatever_pam_raises_is_a_wrong_password_and_not_repeated_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pretend(monkeypatch, ValueError("correct horse"))
    assert not await pam.check("ada", "correct horse", "login")
    assert "ValueError" in caplog.text
    assert "horse" not in caplog.text


async def test_a_slow_pam_holds_up_no_other_request_and_its_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    pretend(monkeypatch, go_on.wait)
    waiting = [asyncio.create_task(pam.check("ada", "x", "login")) for _ in range(pam.THREADS + pam.WAITING)]
    try:
        while pam._places._value:
            await asyncio.sleep(0)
        with pytest.raises(RateLimited):
            await pam.check("ada", "x", "login")
    finally:
        go_on.set()
    assert all(await asyncio.gather(*waiting))


def test_without_the_extra_the_start_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pamela", None)  # as if it were not installed
    with pytest.raises(StartFailed, match=r"pip install 'vibetunnel\[pam\]'"):
        pam.require()
