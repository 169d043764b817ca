"""The REST routes that move whole files: downloads with ranges, folders as archives, uploads."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import quote

from vibetunnel.errors import Forbidden, LimitReached
from vibetunnel.files import archive, reading, storing
from vibetunnel.files.errors import FileTooLarge, OutsideRoots, UploadBroken, WrongName
from vibetunnel.files.names import bytes_of, extension, in_order, media_type, misleading, safe_name, text_of
from vibetunnel.files.reading import OpenFile
from vibetunnel.files.roots import FilePlace
from vibetunnel.files.storing import Draft
from vibetunnel.files.uploads import Kept, Upload
from vibetunnel.handlers import file_schemas, schemas
from vibetunnel.handlers.access import declared_length
from vibetunnel.handlers.files import FilesHandler, joined
from vibetunnel.handlers.refusals import Refused
from vibetunnel.http import ranges
from vibetunnel.http.multipart import FORM, Event, FormReader, MalformedForm, PartBegin, PartEnd
from vibetunnel.http.negotiation import has_tag
from vibetunnel.sessions.model import iso
from vibetunnel.units import show_size

# A file is somebody's data, and may be a page or a picture with a script. Beside this policy, it is an attachment, and
# has a type that runs nothing.
INERT = "sandbox; default-src 'none'; frame-ancestors 'none'"
AROUND = 64 * 1024  # bytes of a form around its file
FIELD = 4096  # bytes of a form's field of text

Begin = Callable[[PartBegin], Awaitable[Draft]]
Done = Callable[[PartBegin, Draft], Awaitable[None]]


class TransferHandler(FilesHandler):
    """The base of routes that send or take whole files."""

    def stream(self) -> contextlib.AbstractContextManager[None]:
        """The place of this upload or download. Raises FilesBusy, LimitReached."""
        principal = self.required(self.principal)
        if principal.local:
            return self.space.stream()
        # Guests have no account: those of one session share.
        owner = f"guests {' '.join(sorted(principal.grants))}" if principal.guest else f"user {principal.user}"
        return self.space.stream(owner)

    def describe_file(self, name: str, kind: str) -> None:
        """Set the headers under which a file runs nothing, wherever it is opened."""
        self.set_header("Content-Type", kind)
        self.set_header("Content-Security-Policy", INERT)
        plain = safe_name(name, "file").encode("ascii", "replace").decode().replace("?", "_").replace("%", "_")
        coded = quote(in_order(name), safe="")
        self.set_header("Content-Disposition", f"attachment; filename=\"{plain}\"; filename*=UTF-8''{coded}")

    async def send_file(self, file: OpenFile) -> None:
        """Answer with an open file, or the part of it that the request asks for."""
        asked = self.request.headers
        modified = formatdate(int(file.modified_s), usegmt=True)
        self.set_header("Etag", file.tag)
        self.set_header("Last-Modified", modified)
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Cache-Control", "private, no-cache")
        if has_tag(asked.get("If-None-Match", ""), file.tag):
            self.set_status(HTTPStatus.NOT_MODIFIED)
            self.finish()
            return
        self.describe_file(text_of(file.name), reading.served_type(file.name))
        begin, end = 0, file.size
        if "Range" in asked and asked.get("If-Range", file.tag) in (file.tag, modified):
            try:
                part = ranges.requested(asked["Range"], file.size)
            except ranges.NotSatisfiable:
                message = f"Range: expected one that begins before byte {file.size}"
                headers = {"Content-Range": f"bytes */{file.size}"}
                raise Refused(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, message, headers) from None
            if part is not None:
                begin, end = part
                self.set_status(HTTPStatus.PARTIAL_CONTENT)
                self.set_header("Content-Range", f"bytes {begin}-{end - 1}/{file.size}")
        self.length = end - begin
        self.write(b"")
        while begin < end and self.request.method != "HEAD":
            self.require_permission()  # it may have ended since the last part
            data = await self.space.step(functools.partial(file.read, begin, end))
            begin += len(data)
            await self.write(data)
        self.finish()

    async def download(self, place: FilePlace) -> None:
        """Answer with the file at this place."""
        with self.stream():
            file = await self.space.step(functools.partial(reading.open_file, self.roots(), place))
            try:
                await self.send_file(file)
            finally:
                file.close()

    # Uploads

    async def publish(self, draft: Draft, names: Iterable[str], folder: FilePlace | None = None) -> str:
        """Give a complete file its name, if the right to it has not ended since the upload began.

        folder  where it goes; None: to the pasted files
        """
        try:
            self.require_permission()
            if folder is not None:
                self.roots().check(folder)
        except (Refused, Forbidden, OutsideRoots):
            await self.space.step(draft.discard)
            raise
        return await self.space.step(functools.partial(draft.publish, names))

    def check_length(self) -> None:
        """Refuse a file that says that it is too large, before it is sent."""
        if declared_length(self.request.headers) > self.space.limit_bytes:
            raise FileTooLarge(f"The file is larger than {show_size(self.space.limit_bytes)} (--upload-bytes)")

    def check_form(self, size: int) -> None:
        """Refuse a form of this size if it is too large. It may say its size, or arrive without saying it."""
        if size > self.space.limit_bytes + AROUND:
            limit = show_size(self.space.limit_bytes)
            raise FileTooLarge(
                f"The form is larger than {limit}, which all its files may have together (--upload-bytes)"
            )

    async def take_form(self, field: str, begin: Begin, done: Done, fields: dict[str, str] | None = None) -> None:
        """Read a form, and store its files.

        field   the name of the parts that are files to store; other files are dropped
        begin   makes the draft of a file
        done    takes the draft of a complete file
        fields  gets the form's fields of text, each before the files that follow it

        Raises Refused (415), UploadBroken, and what the two raise.
        """
        try:
            reader = FormReader(self.request.headers.get("Content-Type", ""))
        except MalformedForm as error:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error)) from None
        part = PartBegin("", None, "")
        draft: Draft | None = None
        text, size = b"", 0
        try:
            while data := await self.body.read():
                size += len(data)
                self.check_form(size)
                for event in self._events(reader, data):
                    if isinstance(event, PartBegin):
                        part, text = event, b""
                        if part.field == field and part.filename is not None:
                            draft = await begin(part)
                    elif not isinstance(event, PartEnd):
                        if draft is not None:
                            await self.space.step(functools.partial(draft.write, event))
                        elif part.filename is None:
                            text = (text + event)[:FIELD]
                    elif draft is not None:
                        complete, draft = draft, None
                        await done(part, complete)
                    elif fields is not None and part.filename is None:
                        fields[part.field] = text.decode(errors="replace")
        finally:
            if draft is not None:
                await self.space.step(draft.discard)
        if not reader.ended:
            raise UploadBroken(f"body: expected {FORM} with its last boundary, got a part")

    @staticmethod
    def _events(reader: FormReader, data: bytes) -> list[Event]:
        try:
            return reader.feed(data)
        except MalformedForm as error:
            raise UploadBroken(str(error)) from None


class RawHandler(TransferHandler):
    """GET and PUT /api/fs/raw: a whole file."""

    async def get(self) -> None:
        await self.download(self.roots().place(self.query(file_schemas.PathQuery).path))

    async def put(self) -> None:
        roots = self.roots()
        place = roots.place(self.query(file_schemas.PathQuery).path)
        if misleading(text_of(place.name)):
            raise WrongName('path: expected a name without control and invisible characters and \\:*?"<>|')
        self.check_length()
        with self.stream():
            await self.space.step(functools.partial(storing.check_free, roots, place))
            begin = functools.partial(storing.draft_in, roots, storing.above(place), self.space.limit_bytes)
            draft = await self.space.step(begin)
            try:
                while data := await self.body.read():
                    await self.space.step(functools.partial(draft.write, data))
                size = draft.size
                await self.publish(draft, [text_of(place.name)], storing.above(place))
            finally:
                await self.space.step(draft.discard)
        await self.noted("upload", text_of(place.path))
        view = file_schemas.StoredFile(
            name=text_of(place.name), path=roots.shown(place), full_path=text_of(place.path), size=size
        )
        self.answer(view, HTTPStatus.CREATED)


class ArchiveHandler(TransferHandler):
    """GET /api/fs/archive: a folder as a ZIP file."""

    async def get(self) -> None:
        roots = self.roots()
        place = roots.place(self.query(file_schemas.PathQuery).path)
        with self.stream():
            parts = archive.zipped(roots, place)
            try:
                part = await self.space.step(functools.partial(next, parts, None))
                self.describe_file(f"{text_of(place.name) or 'root'}.zip", "application/zip")
                while part is not None:
                    await self.write(part)
                    if self.request.method == "HEAD":
                        break
                    self.require_permission()
                    part = await self.space.step(functools.partial(next, parts, None))
            finally:
                await self.space.step(parts.close)
        self.finish()


class FormUploadHandler(TransferHandler):
    """POST /api/files/upload: a form with a field `file`, for a terminal or, with `path`, for a folder."""

    async def post(self) -> None:
        query, roots, space = self.query(file_schemas.FolderQuery), self.roots(), self.space
        place = None if query.path is None else roots.place(query.path)
        self.check_form(declared_length(self.request.headers))
        stored: list[file_schemas.UploadedFile] = []

        async def begin(_: PartBegin) -> Draft:
            if stored:
                raise UploadBroken("body: expected one file, got more")
            if place is None:
                return await space.step(space.pasted.draft)
            return await space.step(functools.partial(storing.draft_in, roots, place, space.limit_bytes))

        async def done(part: PartBegin, draft: Draft) -> None:
            given, size = part.filename or "", draft.size
            names = storing.choices(given) if place is not None else [space.pasted.name_for(given)]
            name = await self.publish(draft, names, place)
            stored.append(
                file_schemas.UploadedFile(
                    filename=name,
                    original_name=given,
                    size=size,
                    mimetype=part.media_type or media_type(name),
                    path=str(space.pasted.path / name) if place is None else text_of(place.child(bytes_of(name)).path),
                    relative_path=name if place is None else roots.shown(place.child(bytes_of(name))),
                )
            )
            await self.noted("upload", stored[0].path)
            if place is None:
                await space.step(functools.partial(space.pasted.make_room, name))

        with self.stream():
            await self.take_form("file", begin, done)
        if not stored:
            raise UploadBroken("No file provided: expected a field `file` with a file name, got none")
        self.answer(stored[0])


class UploadsHandler(TransferHandler):
    """POST /api/fs/uploads: begins an upload in pieces."""

    async def post(self) -> None:
        wanted, roots, space = self.read(file_schemas.NewUpload), self.roots(), self.space
        place, owner = roots.place(wanted.path), self.required(self.principal).user
        space.uploads.check(owner, wanted.size)
        draft = await space.run(functools.partial(storing.draft_in, roots, place, space.limit_bytes))
        try:
            space.uploads.check(owner, wanted.size)  # others may have begun meanwhile
        except LimitReached:
            await space.step(draft.discard)
            raise
        upload = space.uploads.add(draft, place, safe_name(wanted.name), wanted.size, owner)
        self.answer(_upload_view(upload), HTTPStatus.CREATED)


class OneUploadHandler(TransferHandler):
    """GET, PUT and DELETE /api/fs/uploads/{upload_id}: how far it is, the next piece, and giving it up."""

    @property
    def owner(self) -> str:
        return self.required(self.principal).user

    def get(self, upload_id: str) -> None:
        self.answer(_upload_view(self.space.uploads.get(upload_id, self.owner)))

    async def put(self, upload_id: str) -> None:
        uploads, offset = self.space.uploads, self.query(file_schemas.PieceQuery).offset
        with self.stream():
            upload = uploads.take(upload_id, self.owner, offset)
            try:
                self.roots().check(upload.place)
                while data := await self.body.read():
                    await self.space.step(functools.partial(upload.write, data))
                view = _upload_view(upload)
                if view.complete:
                    uploads.forget(upload)
                    name = await self.publish(upload.draft, storing.choices(upload.name), upload.place)
                    stored = upload.place.child(bytes_of(name))
                    view.name, view.full_path = text_of(stored.name), text_of(stored.path)
                    view.path = self.roots().shown(stored)
                    await self.noted("upload", view.full_path)
            finally:
                uploads.give_back(upload)
        self.answer(view)

    async def delete(self, upload_id: str) -> None:
        upload = self.space.uploads.take(upload_id, self.owner)
        self.space.uploads.forget(upload)
        await self.space.run(upload.draft.discard)
        self.answer(schemas.DoneWithMessage(message="Upload given up"))


def _upload_view(upload: Upload) -> file_schemas.UploadView:
    return file_schemas.UploadView(
        id=upload.id,
        name=upload.name,
        size=upload.size,
        offset=upload.offset,
        complete=upload.offset == upload.size,
    )


class PastedFilesHandler(TransferHandler):
    """GET /api/files: the files that clients have pasted into terminals."""

    async def get(self) -> None:
        base = self.context.settings.base_path

        def view(kept: Kept) -> file_schemas.PastedFile:
            return file_schemas.PastedFile(
                filename=kept.name,
                size=kept.size,
                created_at=iso(kept.created_ns),
                modified_at=iso(kept.modified_ns),
                url=f"{base}/api/files/{kept.name}",
                extension=extension(kept.name),
            )

        def work() -> bytes:
            found = self.space.pasted.list()
            return joined(file_schemas.PastedFiles(count=len(found), files=[]), found, view)

        self.finish(await self.space.run(work))


class PastedFileHandler(TransferHandler):
    """GET and DELETE /api/files/{filename}."""

    async def get(self, filename: str) -> None:
        with self.stream():
            file = await self.space.step(functools.partial(self.space.pasted.open, filename))
            try:
                await self.send_file(file)
            finally:
                file.close()

    async def delete(self, filename: str) -> None:
        await self.space.run(functools.partial(self.space.pasted.remove, filename))
        await self.noted("remove", str(self.space.pasted.path / filename))
        self.answer(schemas.DoneWithMessage(message="File deleted successfully"))
