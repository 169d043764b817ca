"""The server that runs on this machine, as the command line finds it and talks to it.

Standard library only, so that `vibetunnel ls` starts as fast as Python does.
"""

import http.client
import json
import os
import socket
import ssl
import struct
import urllib.parse
from pathlib import Path
from typing import Any

from vibetunnel import paths
from vibetunnel.settings import MAX_GRACE_S, Settings

TIMEOUT_S = 15.0
KILL_TIMEOUT_S = MAX_GRACE_S + TIMEOUT_S  # a DELETE answers when the session has ended, by force if need be
UNIX = "unix:"  # and a path: a server that listens on no address
MAX_PID = (1 << 31) - 1


class NotRunning(Exception):
    """No server is running where we looked."""


class ServerRefused(Exception):
    """The server answered with an error, or not at all; the message is its own sentence.

    status  HTTP's; 0: no answer, or none that it could have given
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class RunningServer:
    """One server, found by the file it keeps in its runtime folder. Nothing is connected between two requests.

    url   where it listens on this machine, without a slash at the end
    pid   as the file says; /api/health tells whether that is still so
    """

    def __init__(self, settings: Settings) -> None:
        """Raises NotRunning, NotPrivate."""
        self._looked_in = settings.runtime_dir
        found = _read_json(settings.runtime_dir / paths.SERVER_FILE)
        # A server that was killed leaves its file; its process id and its port may be someone else's by now.
        if found is None or not _alive(found["pid"]) or not paths.is_locked(settings.runtime_dir / paths.SERVER_LOCK):
            raise self._not_running()
        self.url = str(found["url"]).rstrip("/")
        self._base_path = str(found.get("base_path", ""))
        self.pid = int(found["pid"])
        secret = settings.state_dir / paths.SECRET
        try:
            self._secret = paths.read_private(secret).decode("ascii").strip()
        except UnicodeDecodeError:
            raise ServerRefused(f"{secret} is damaged: remove it and start the server again") from None
        except FileNotFoundError:
            raise ServerRefused(
                f"the server at {self.url} has another state folder: expected its secret in {settings.state_dir}; "
                "name the right one with --state-dir"
            ) from None

    def sessions(self) -> list[dict[str, Any]]:
        """All sessions, newest first. Raises as request() does."""
        found: list[dict[str, Any]] = self.request("GET", "/api/sessions", kind=list)
        return found

    def request(
        self, method: str, path: str, body: object = None, *, kind: type = dict, timeout_s: float | None = None
    ) -> Any:
        """The JSON answer, which is of this kind. Raises Refused, NotRunning.

        timeout_s  for every step of the way; None: what such a request usually needs
        """
        answer = self.fetch(method, path, body, timeout_s=timeout_s)
        try:
            parsed = json.loads(answer)
        except ValueError:
            parsed = None
        if not isinstance(parsed, kind):
            raise ServerRefused(f"what answers at {self.url} is no vibetunnel: expected JSON for {path}")
        return parsed

    def fetch(self, method: str, path: str, body: object = None, *, timeout_s: float | None = None) -> bytes:
        """The answer as it is. Raises as request() does."""
        usual_s = KILL_TIMEOUT_S if method == "DELETE" else TIMEOUT_S
        connection = _connect(self.url, usual_s if timeout_s is None else timeout_s)
        headers = {"Authorization": f"Bearer {self._secret}", "Accept": "application/json, text/*"}
        if method != "GET":
            headers["Content-Type"] = "application/json"
        try:
            connection.request(
                method, self._base_path + path, None if method == "GET" else json.dumps(body or {}), headers
            )
            response = connection.getresponse()
            answer = response.read()
        except (ConnectionRefusedError, FileNotFoundError):  # the latter: no such socket
            raise self._not_running() from None
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise ServerRefused(f"the server at {self.url} does not answer: {error or type(error).__name__}") from error
        finally:
            connection.close()
        if response.status >= 400:
            reason = _reason(answer) or f"{response.status} {response.reason}"
            raise ServerRefused(f"the server refused: {reason}", response.status)
        return answer

    def _not_running(self) -> NotRunning:
        return NotRunning(f"no vibetunnel server is running (looked in {self._looked_in}): start one with `vibetunnel`")


def _reason(answer: bytes) -> str:
    """The sentence in an answer that is an error."""
    try:
        parsed = json.loads(answer)
    except ValueError:
        return ""
    return str(parsed.get("error") or "") if isinstance(parsed, dict) else ""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP to a socket of this machine, which has to be one of this user's."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
            # The secret goes to nobody who has put a socket of his own in its place.
            if hasattr(socket, "SO_PEERCRED"):
                credentials = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
                owner = struct.unpack("3i", credentials)[1]
                if owner != os.geteuid():
                    raise OSError(f"{self._path} belongs to a process of user {owner}")
        except BaseException:
            self.sock.close()
            raise


def _connect(url: str, timeout_s: float) -> http.client.HTTPConnection:
    if url.startswith(UNIX):
        return _UnixConnection(url.removeprefix(UNIX), timeout_s)
    address = urllib.parse.urlsplit(url)
    host = address.hostname or "127.0.0.1"
    # http.client knows no proxies: the secret goes to this machine and nowhere else.
    if address.scheme == "https":
        context = ssl.create_default_context()
        # The certificate is for the public name; that this is our server, a file only we can write says.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(host, address.port, timeout=timeout_s, context=context)
    return http.client.HTTPConnection(host, address.port, timeout=timeout_s)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(paths.read_private(path))
    except FileNotFoundError:
        return None
    except ValueError:
        raise ServerRefused(f"{path} is damaged: stop the server by hand and start it again") from None
    if not isinstance(found, dict) or not _is_pid(found.get("pid")) or not _is_address(found.get("url")):
        raise ServerRefused(f"{path} is damaged, or of another version of vibetunnel: expected a pid and a url in it")
    return found


def _is_pid(value: object) -> bool:
    return type(value) is int and 0 < value <= MAX_PID


def _is_address(value: object) -> bool:
    try:
        if isinstance(value, str) and value.startswith(UNIX):
            return True
        address = urllib.parse.urlsplit(value) if isinstance(value, str) else None
        return address is not None and address.scheme in ("http", "https") and address.port is not None
    except ValueError:  # a port that is none
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # gone, or of another user and so not our server
        return False
    return True
