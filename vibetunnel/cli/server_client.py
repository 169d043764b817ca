"""The running server of this machine: how the command line finds it and sends requests.

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
KILL_TIMEOUT_S = MAX_GRACE_S + TIMEOUT_S  # a DELETE is answered after the session has ended, by SIGKILL if need be
Answer = dict[str, Any]  # a JSON object of the REST API

UNIX = "unix:"  # the beginning of a URL that names a socket: unix:/path
MAX_PID = (1 << 31) - 1
VIEW = {"X-VibeTunnel-View": "own"}  # also of a server with --web-client


class NotRunning(Exception):
    """No server runs with this runtime folder."""


class ServerRefused(Exception):
    """The server answered with an error, which is the message; or it gave no valid answer.

    status  of the HTTP answer; 0: there was no valid answer
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class RunningServer:
    """The server of one runtime folder, found by its server.json. Each request has a connection of its own.

    url   the address on this machine, without a slash at the end
    pid   as server.json says; /api/health tells whether it is still true
    """

    def __init__(self, settings: Settings) -> None:
        """Raises NotRunning, NotPrivate."""
        self._looked_in = settings.runtime_dir
        found = _read_json(settings.runtime_dir / paths.SERVER_FILE)
        # A killed server leaves its file, and other processes may have its process id and its port by now.
        locked = paths.is_locked(settings.runtime_dir / paths.SERVER_LOCK)
        if locked and (found is None or not _alive(found["pid"])):
            raise NotRunning(
                f"a vibetunnel server is starting or stopping, or cannot write {paths.SERVER_FILE} in "
                f"{settings.runtime_dir} (is the disk full?): try again, or look into its log"
            )
        if found is None or not locked:
            raise self._not_running()
        self.url = str(found["url"]).rstrip("/")
        self._base_path = str(found.get("base_path", ""))
        self.pid = int(found["pid"])
        secret = settings.state_dir / paths.SECRET
        try:
            self._secret = paths.read_private(secret).decode("ascii").strip()
        except UnicodeDecodeError:
            raise ServerRefused(f"{secret} is damaged: remove it and restart the server") from None
        except FileNotFoundError:
            raise ServerRefused(
                f"{settings.state_dir} has no secret, so the server at {self.url} has another state folder: "
                "name it with --state-dir"
            ) from None

    def sessions(self) -> list[dict[str, Any]]:
        """All sessions, the newest first. Raises as request() does."""
        found: list[dict[str, Any]] = self.request("GET", "/api/sessions", kind=list)
        return found

    def request(
        self, method: str, path: str, body: object = None, *, kind: type = dict, timeout_s: float | None = None
    ) -> Any:
        """The JSON answer, which has to be of this kind. Raises ServerRefused, NotRunning.

        timeout_s  for each wait on the network; None: what such a request usually needs
        """
        answer = self.fetch(method, path, body, timeout_s=timeout_s)
        try:
            parsed = json.loads(answer)
        except ValueError:
            parsed = None
        if not isinstance(parsed, kind):
            raise ServerRefused(f"the program at {self.url} is not vibetunnel: expected JSON for {path}")
        return parsed

    def fetch(self, method: str, path: str, body: object = None, *, timeout_s: float | None = None) -> bytes:
        """The body of the answer. Raises as request() does."""
        usual_s = KILL_TIMEOUT_S if method == "DELETE" else TIMEOUT_S
        connection = _connect(self.url, usual_s if timeout_s is None else timeout_s)
        headers = {"Authorization": f"Bearer {self._secret}", "Accept": "application/json, text/*", **VIEW}
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
    """The message of an error answer; "": it has none."""
    try:
        parsed = json.loads(answer)
    except ValueError:
        return ""
    return str(parsed.get("error") or "") if isinstance(parsed, dict) else ""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket, which has to belong to this user."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
            # An attacker may have put a socket in its place, and must not get the secret.
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
    # http.client ignores proxy settings: the secret stays on this machine.
    if address.scheme == "https":
        context = ssl.create_default_context()
        # The certificate is for the public name. server.json, which only we can write, says that this is our server.
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
        raise ServerRefused(f"{path} is damaged: stop the server by its process id, and start it again") from None
    if not isinstance(found, dict) or not _is_pid(found.get("pid")) or not _is_address(found.get("url")):
        raise ServerRefused(f"{path} has no valid pid and url: stop the server by its process id, and start it again")
    return found


def _is_pid(value: object) -> bool:
    return type(value) is int and 0 < value <= MAX_PID


def _is_address(value: object) -> bool:
    try:
        if isinstance(value, str) and value.startswith(UNIX):
            return True
        address = urllib.parse.urlsplit(value) if isinstance(value, str) else None
        return address is not None and address.scheme in ("http", "https") and address.port is not None
    except ValueError:  # an invalid port
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # it has ended, or is another user's and so not our server
        return False
    return True
