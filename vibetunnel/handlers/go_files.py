"""The REST routes of files as the Go server has them, below /api/filesystem."""

from __future__ import annotations

import functools
import re
import stat
from http import HTTPStatus

from msgspec import UNSET

from vibetunnel.errors import InvalidField
from vibetunnel.files import listing, storing
from vibetunnel.files.errors import NoSuchFile, UploadBroken
from vibetunnel.files.listing import FolderEntry
from vibetunnel.files.names import bytes_of, text_of
from vibetunnel.files.roots import FilePlace, Roots
from vibetunnel.files.storing import Draft
from vibetunnel.handlers import file_schemas
from vibetunnel.handlers.access import declared_length
from vibetunnel.handlers.files import FilesHandler, joined
from vibetunnel.handlers.transfers import TransferHandler
from vibetunnel.http.multipart import PartBegin
from vibetunnel.sessions.model import iso

FOLDER_MODE = 0o755

_OCTAL = re.compile(r"0?[0-7]{3}")


class LsHandler(FilesHandler):
    """GET /api/filesystem/ls."""

    async def get(self) -> None:
        query, roots = self.query(file_schemas.LsQuery), self.roots()
        place = roots.place(query.path)

        def work() -> bytes:
            found = listing.browse(roots, place, hidden=query.show_hidden)
            key = {"size": lambda each: each.size, "modTime": lambda each: each.modified_ns}.get(query.sort_by)
            entries = found.entries if key is None else sorted(found.entries, key=key)
            if query.sort_desc:
                entries = entries[::-1]
            folders = [_ls_entry(each, roots, place) for each in entries if each.folder]
            head = file_schemas.LsAnswer(
                path=roots.shown(place),
                parent=UNSET if place.parent is None else roots.shown(place.parent),
                truncated=found.truncated,
                directories=folders,
                files=[],
            )
            files = [each for each in entries if not each.folder]
            return joined(head, files, lambda each: _ls_entry(each, roots, place))

        self.finish(await self.space.run(work))


def _ls_entry(entry: FolderEntry, roots: Roots, place: FilePlace) -> file_schemas.LsEntry:
    kind = stat.S_IFDIR if entry.folder else stat.S_IFREG if entry.kind == "file" else 0
    shown = stat.filemode(kind | entry.mode)
    return file_schemas.LsEntry(
        name=text_of(entry.name),
        path=roots.shown(place.child(entry.name)),
        type=entry.kind,
        size=entry.size,
        mode=shown,
        mod_time=iso(entry.modified_ns),
        is_hidden=entry.name.startswith(b"."),
        permissions=f"{entry.mode & 0o777:04o}",
        is_symlink=entry.target is not None,
        symlink_target=UNSET if entry.target is None else text_of(entry.target),
    )


class DownloadHandler(TransferHandler):
    """GET /api/filesystem/download/{path}."""

    async def get(self, path: str) -> None:
        await self.download(self.roots().place(path))


class GoUploadHandler(TransferHandler):
    """POST /api/filesystem/upload: a form with files in `files`, and their folder in `path`, before them."""

    async def post(self) -> None:
        query, roots, space = self.query(file_schemas.FormQuery), self.roots(), self.space
        fields = {} if query.path is None else {"path": query.path}
        self.check_form(declared_length(self.request.headers))
        stored: list[file_schemas.StoredFile] = []

        async def begin(_: PartBegin) -> Draft:
            if "path" not in fields:
                raise UploadBroken("path: expected the folder in the query, or in a field before the files, got none")
            return await space.step(
                functools.partial(storing.draft_in, roots, roots.place(fields["path"]), space.limit_bytes)
            )

        async def done(part: PartBegin, draft: Draft) -> None:
            size = draft.size
            folder = roots.place(fields["path"])
            name = await self.publish(draft, storing.choices(part.filename or ""), folder)
            place = folder.child(bytes_of(name))
            path = text_of(place.path)
            stored.append(file_schemas.StoredFile(name=name, path=roots.shown(place), full_path=path, size=size))
            await self.noted("upload", path)

        with self.stream():
            await self.take_form("files", begin, done, fields)
        if not stored:
            raise UploadBroken("No file provided: expected a field `files` with a file name, got none")
        message = f"{len(stored)} {'file' if len(stored) == 1 else 'files'} uploaded"
        self.answer(file_schemas.StoredFiles(message=message, path=fields["path"], files=stored))


class GoMkdirHandler(FilesHandler):
    """POST /api/filesystem/mkdir."""

    async def post(self) -> None:
        wanted, roots = self.read(file_schemas.PathAndMode), self.roots()
        place = roots.place(wanted.path)
        parent, mode = storing.above(place), _mode(wanted.mode)
        made = await self.space.run(functools.partial(storing.make_folder, roots, parent, text_of(place.name), mode))
        await self.noted("folder", text_of(made.path))
        self.answer(file_schemas.DoneWithPath(message="Directory created", path=roots.shown(made)), HTTPStatus.CREATED)


def _mode(given: int | str | None) -> int:
    """The permissions of a new folder. Raises InvalidField."""
    if given is None:
        return FOLDER_MODE
    mode = int(given, 8) if isinstance(given, str) and _OCTAL.fullmatch(given) else given
    if isinstance(mode, str) or not 0 <= mode <= 0o777:
        raise InvalidField("mode", "permissions up to 0777, as a number or as octal digits", str(given)[:20])
    return mode


class RmHandler(FilesHandler):
    """DELETE /api/filesystem/rm."""

    async def delete(self) -> None:
        wanted, roots = self.read(file_schemas.RemoveBody), self.roots()
        place = roots.place(wanted.path)
        message = "Removed"
        try:
            await self.space.run(functools.partial(storing.remove, roots, place, recursive=wanted.recursive))
        except NoSuchFile:
            if not wanted.force:
                raise
            message = "There was nothing to remove"
        else:
            await self.noted("remove", text_of(place.path))
        self.answer(file_schemas.DoneWithPath(message=message, path=roots.shown(place)))
