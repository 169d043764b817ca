"""Uploads in pieces, which a client may continue after its connection broke, and the folder of pasted files.

An upload in pieces lives in this process only: it ends with the server, and leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vibetunnel.errors import LimitReached
from vibetunnel.files.errors import (
    FileFailed,
    FileTooLarge,
    NoSuchFile,
    UnknownUpload,
    UploadInUse,
    WrongName,
    WrongOffset,
    explained,
)
from vibetunnel.files.names import extension
from vibetunnel.files.reading import OpenFile
from vibetunnel.files.roots import FilePlace
from vibetunnel.files.storing import Draft
from vibetunnel.paths import NotPrivate, private_dir
from vibetunnel.units import show_size

LIMIT = 64  # uploads in pieces, each of which holds two descriptors
OF_ONE = 16  # of one user
IDLE_S = 3600.0  # after which an upload is given up
KEPT = 10_000  # pasted files
KEPT_SIZE = 4  # of all pasted files, in files of the largest size: beyond it, the oldest are removed

_KEPT_NAME = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,255}")


@dataclass
class Upload:
    """One upload. It takes one piece at a time.

    owner   the user that began it, and may go on with it
    place   the folder that it goes into
    name    as the user calls the file
    size    bytes, when it is complete
    offset  bytes that are there: the next piece begins here
    """

    id: str
    owner: str
    place: FilePlace
    name: str
    size: int
    draft: Draft
    used: float
    busy: bool = field(default=False)

    @property
    def offset(self) -> int:
        return self.draft.size

    def write(self, data: bytes) -> None:
        """Append a part of a piece. Blocks. Raises FileTooLarge, NoRoomLeft."""
        if self.offset + len(data) > self.size:
            raise FileTooLarge(f"The upload has more bytes than the {self.size} that it began with")
        self.draft.write(data)


class Uploads:
    """All uploads in pieces. Its methods never block: what they return is for discard() in a thread."""

    def __init__(self, limit_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit_bytes
        self._clock = clock
        self._uploads: dict[str, Upload] = {}

    def __len__(self) -> int:
        return len(self._uploads)

    def check(self, owner: str, size: int) -> None:
        """Raise LimitReached or FileTooLarge unless this user may begin an upload of this size."""
        if size > self._limit:
            raise FileTooLarge(f"The file is larger than {show_size(self._limit)} (--upload-bytes)")
        if sum(each.owner == owner for each in self._uploads.values()) >= OF_ONE:
            raise LimitReached("unfinished uploads of a user", OF_ONE)
        if len(self._uploads) >= LIMIT:
            raise LimitReached("unfinished uploads", LIMIT)

    def add(self, draft: Draft, place: FilePlace, name: str, size: int, owner: str) -> Upload:
        """Begin an upload with this draft, after check()."""
        upload = Upload(secrets.token_hex(16), owner, place, name, size, draft, self._clock())
        self._uploads[upload.id] = upload
        return upload

    def get(self, upload_id: str, owner: str) -> Upload:
        """The upload of this id that this user began. Raises UnknownUpload."""
        upload = self._uploads.get(upload_id)
        if upload is None or upload.owner != owner:
            raise UnknownUpload
        return upload

    def take(self, upload_id: str, owner: str, offset: int | None = None) -> Upload:
        """The upload, alone until give_back() or forget(). offset: where a piece begins.

        Raises UnknownUpload, UploadInUse while another request has it, WrongOffset.
        """
        upload = self.get(upload_id, owner)
        if upload.busy:
            raise UploadInUse
        if offset is not None and upload.offset != offset:
            raise WrongOffset(f"offset: expected {upload.offset}, where the last piece ended, got {offset}")
        upload.busy = True
        return upload

    def give_back(self, upload: Upload) -> None:
        """The piece has ended, or its connection has."""
        upload.busy = False
        upload.used = self._clock()

    def forget(self, upload: Upload) -> None:
        """The upload is over. The caller publishes or discards its draft."""
        self._uploads.pop(upload.id, None)

    def given_up(self) -> list[Draft]:
        """Forget the uploads without progress, and return their drafts."""
        oldest = self._clock() - IDLE_S
        return self._forget([each for each in self._uploads.values() if not each.busy and each.used < oldest])

    def all(self) -> list[Draft]:
        """Forget all uploads, and return their drafts."""
        return self._forget([*self._uploads.values()])

    def _forget(self, going: list[Upload]) -> list[Draft]:
        for each in going:
            self.forget(each)
        return [each.draft for each in going]


@dataclass(frozen=True)
class Kept:
    """A pasted file."""

    name: str
    size: int
    created_ns: int
    modified_ns: int


class PasteFolder:
    """The files that clients paste into a terminal: their paths are typed, and programs read them.

    They are in one private folder, under names that say nothing but their kind. All methods block.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self.path = path
        self._limit = limit_bytes

    def draft(self) -> Draft:
        """Begin a file. Raises LimitReached, NoRoomLeft."""
        try:
            private_dir(self.path)
        except NotPrivate as error:
            raise FileFailed(f"Nothing can be uploaded: {error}") from error
        with explained():
            if len(os.listdir(self.path)) >= KEPT:
                raise LimitReached("uploaded files", KEPT)
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return Draft(folder, self._limit)
        finally:
            os.close(folder)

    def make_room(self, new: str) -> None:
        """Remove the oldest files, but not the new one, until all together are within the bound."""
        size = 0
        for each in self.list():
            size += each.size
            if size > KEPT_SIZE * self._limit and each.name != new:
                with explained(), contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path / each.name)

    @staticmethod
    def name_for(given: str) -> str:
        """A new name with the ending of the given one."""
        return f"{uuid.uuid4()}{extension(given).lower()}"

    def list(self) -> list[Kept]:
        """The files, the newest first."""
        found = []
        with explained():
            if not self.path.is_dir():
                return []
            with os.scandir(self.path) as entries:
                for each in entries:
                    if _KEPT_NAME.fullmatch(each.name) and each.is_file(follow_symlinks=False):
                        seen = each.stat(follow_symlinks=False)
                        found.append(Kept(each.name, seen.st_size, seen.st_ctime_ns, seen.st_mtime_ns))
        return sorted(found, key=lambda each: -each.modified_ns)

    def open(self, name: str) -> OpenFile:
        """Open a file. Raises WrongName, NoSuchFile."""
        with explained():
            file = os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        return OpenFile(file, name.encode())

    def remove(self, name: str) -> None:
        """Remove a file. Raises WrongName, NoSuchFile."""
        with explained():
            os.unlink(self._path(name))

    def _path(self, name: str) -> Path:
        if not _KEPT_NAME.fullmatch(name):
            raise WrongName("Invalid filename")
        path = self.path / name
        if not path.is_file() or path.is_symlink():
            raise NoSuchFile
        return path
