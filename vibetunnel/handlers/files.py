"""The REST routes that look at files: listings, completions, previews, changes. transfers.py moves whole files."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from msgspec import UNSET

from vibetunnel.errors import UnknownSession
from vibetunnel.files import listing, names, reading, storing
from vibetunnel.files.errors import FileTooLarge, NoSuchFile, OutsideRoots, WrongKind
from vibetunnel.files.git import FolderChanges
from vibetunnel.files.listing import Completion, FolderEntry
from vibetunnel.files.names import text_of
from vibetunnel.files.roots import FilePlace, Roots
from vibetunnel.files.space import FileSpace
from vibetunnel.handlers import file_schemas
from vibetunnel.handlers.handler import IN_A_TURN
from vibetunnel.handlers.refusals import encode
from vibetunnel.handlers.streamed import StreamedHandler
from vibetunnel.logs.audit import Action
from vibetunnel.security.principal import Scope
from vibetunnel.sessions.model import iso
from vibetunnel.units import show_size

S = TypeVar("S")
T = TypeVar("T")

RAW = "/api/fs/raw"
GIT_S = 3.0  # for all that a request asks git: later answers are left out


class FilesHandler(StreamedHandler):
    """The base of all routes about files."""

    @property
    def space(self) -> FileSpace:
        return self.context.files

    def roots(self) -> Roots:
        """The roots of the principal: all, or only the folders of the sessions that it has the route's right to."""
        principal, needed = self.required(self.principal), self.operation.permission.scope or Scope.FILES
        if principal.may(needed):
            return self.space.roots
        folders = []
        for session_id, scopes in principal.grants.items():
            if scopes & needed == needed:
                with contextlib.suppress(UnknownSession):
                    folders.append(self.context.registry.get(session_id).describe().working_dir)
        return self.space.roots.narrowed(folders)

    @functools.cached_property
    def _git_until(self) -> float:
        return asyncio.get_running_loop().time() + GIT_S

    async def asked(self, question: Coroutine[Any, Any, T]) -> T | None:  # Any: what it yields is the loop's
        """What git answers; None: nothing in time. It holds no thread meanwhile, and other files do not wait."""
        if asyncio.get_running_loop().time() >= self._git_until:
            question.close()
            return None
        try:
            async with asyncio.timeout_at(self._git_until):
                return await question
        except TimeoutError:
            return None

    async def noted(self, what: str, path: str) -> None:
        """Write into the audit what was stored or removed."""
        await self.record(Action.FILE, what=what, path=path)


class BrowseHandler(FilesHandler):
    """GET /api/fs/browse."""

    async def get(self) -> None:
        query, roots = self.query(file_schemas.BrowseQuery), self.roots()
        place = roots.place(query.path)
        changes: FolderChanges | None = None
        if query.git_filter != "none":
            actual = await self.space.run(functools.partial(_actual_folder, roots, place))
            changes = await self.asked(self.space.git.changes(actual))
        may_store = self.required(self.principal).may(Scope.FILES | Scope.CONTROL)

        def work() -> bytes:
            if query.git_filter == "changed":
                known = {} if changes is None else changes.changes
                found = listing.chosen(roots, place, [path for path, each in known.items() if each != "deleted"])
            else:
                found = listing.browse(roots, place, hidden=query.show_hidden)
            head = file_schemas.Browsed(
                path=query.path,
                full_path=text_of(place.path),
                git_status=None if changes is None else _status(changes),
                root=text_of(place.root.path),
                roots=[text_of(each.path) for each in roots],
                parent=None if place.parent is None else roots.shown(place.parent),
                writable=may_store,
                truncated=found.truncated,
                files=[],
            )
            return joined(head, found.entries, lambda each: _entry(each, roots.shown(place.child(each.name)), changes))

        self.finish(await self.space.run(work))


def _actual_folder(roots: Roots, place: FilePlace) -> bytes:
    """The folder's path for git. It passes the walk first, because git follows links."""
    with roots.folder(place):
        return roots.actual(place)


def joined(head: object, items: Sequence[S], view: Callable[[S], object]) -> bytes:
    """The JSON of `head`, whose last field is an empty list, with a view of each item in that list.

    It is encoded in pieces, so that a thread with a long list leaves the interpreter to others.
    """
    pieces = [
        b",".join([encode(view(each)) for each in items[begin : begin + IN_A_TURN]])
        for begin in range(0, len(items), IN_A_TURN)
    ]
    return encode(head).removesuffix(b"]}") + b",".join(pieces) + b"]}"


def _status(changes: FolderChanges) -> file_schemas.FolderGitStatus:
    status = file_schemas.FolderGitStatus(branch=changes.branch)
    for path, change in itertools.islice(changes.changes.items(), listing.MAX_ENTRIES):
        getattr(status, change).append(text_of(path))
    return status


def _entry(entry: FolderEntry, path: str, changes: FolderChanges | None) -> file_schemas.FileEntry:
    change: file_schemas.GitStatus | None = None
    if changes is not None:
        change = changes.changes.get(entry.name, "unchanged")
    return file_schemas.FileEntry(
        name=text_of(entry.name),
        path=path,
        type=entry.kind,
        size=entry.size,
        modified=iso(entry.modified_ns),
        permissions=f"{entry.mode & 0o777:03o}",
        is_git_tracked=change not in (None, "untracked"),
        git_status=UNSET if change is None or entry.folder else change,
        is_symlink=entry.target is not None,
    )


class CompletionsHandler(FilesHandler):
    """GET /api/fs/completions."""

    async def get(self) -> None:
        typed, roots = self.query(file_schemas.CompletionsQuery).path, self.roots()

        def work() -> tuple[list[tuple[Completion, bytes | None]], str]:
            found, partial = listing.complete(roots, typed)
            return [(each, roots.actual(each.place) if each.repository else None) for each in found], partial

        try:
            found, partial = await self.space.run(work)
        except (NoSuchFile, OutsideRoots, WrongKind):
            self.answer(file_schemas.Completions(completions=[]))  # the user is still typing
            return
        completions = []
        for each, repository in found:
            branch = None if repository is None else await self.asked(self.space.git.branch(repository))
            completions.append(_completion(each, roots, branch))
        self.answer(file_schemas.Completions(completions=completions, partial_path=partial))


def _completion(found: Completion, roots: Roots, branch: str | None) -> file_schemas.PathCompletion:
    return file_schemas.PathCompletion(
        name=text_of(found.entry.name),
        path=roots.shown(found.place),
        type=found.entry.kind,
        suggestion=found.suggestion,
        is_repository=found.repository,
        git_branch=branch or UNSET,
    )


class PreviewHandler(FilesHandler):
    """GET /api/fs/preview."""

    async def get(self) -> None:
        roots = self.roots()
        place = roots.place(self.query(file_schemas.PathQuery).path)
        found = await self.space.run(functools.partial(reading.preview, roots, place))
        view = file_schemas.FilePreview(
            type=found.kind, mime_type=found.media_type, size=found.size, human_size=show_size(found.size)
        )
        if found.kind == "text":
            view.content, view.truncated = found.content, found.truncated
            view.language = names.language(text_of(place.name))
        elif found.kind == "image":
            view.url = f"{self.context.settings.base_path}{RAW}?path={quote(roots.shown(place), safe='')}"
        self.answer(view)


class ContentHandler(FilesHandler):
    """GET /api/fs/content."""

    async def get(self) -> None:
        roots = self.roots()
        place = roots.place(self.query(file_schemas.PathQuery).path)
        content = await self.space.run(functools.partial(reading.text, roots, place))
        language = names.language(text_of(place.name))
        self.answer(file_schemas.FileContent(path=roots.shown(place), content=content, language=language))


@dataclass(frozen=True)
class _Versions:
    """A file now and in HEAD. original: None if it is in no repository."""

    now: bytes
    original: bytes | None


def _now(roots: Roots, place: FilePlace) -> tuple[bytes | None, bytes]:
    """(what is in a file now, its path for git). None: it was deleted, which is its change."""
    try:
        with roots.file(place) as file:
            return reading.bounded(file, reading.MAX_DIFF), roots.actual(place)
    except NoSuchFile:
        with roots.folder(storing.above(place)):
            return None, roots.actual(place)


class ComparisonHandler(FilesHandler):
    """The base of the routes that compare a file with HEAD."""

    async def versions(self, roots: Roots, place: FilePlace) -> _Versions:
        """Raises NoSuchFile, FileTooLarge, and as Roots.open() does."""
        now, path = await self.space.run(functools.partial(_now, roots, place))
        original = await self.asked(self.space.git.original(path))
        if original is None and now is None:
            raise NoSuchFile
        if original is not None and len(original) > reading.MAX_DIFF:
            raise FileTooLarge(f"The file was longer than {show_size(reading.MAX_DIFF)} in the last commit")
        return _Versions(now or b"", original)


class DiffHandler(ComparisonHandler):
    """GET /api/fs/diff."""

    async def get(self) -> None:
        roots = self.roots()
        place = roots.place(self.query(file_schemas.PathQuery).path)
        versions = await self.versions(roots, place)
        diff = ""
        if versions.original is not None:
            patch = self.space.git.patch(text_of(place.name), versions.original, versions.now)
            diff = await self.asked(patch) or ""
        self.answer(file_schemas.FileDiff(path=roots.shown(place), diff=diff, has_diff=bool(diff)))


class DiffContentHandler(ComparisonHandler):
    """GET /api/fs/diff-content."""

    async def get(self) -> None:
        roots = self.roots()
        place = roots.place(self.query(file_schemas.PathQuery).path)
        versions = await self.versions(roots, place)
        original = versions.now if versions.original is None else versions.original
        self.answer(
            file_schemas.DiffContent(
                path=roots.shown(place),
                original_content=original.decode(errors="replace"),
                modified_content=versions.now.decode(errors="replace"),
                language=names.language(text_of(place.name)),
            )
        )


class MkdirHandler(FilesHandler):
    """POST /api/fs/mkdir."""

    async def post(self) -> None:
        wanted, roots = self.read(file_schemas.FolderBody), self.roots()
        work = functools.partial(storing.make_folder, roots, roots.place(wanted.path), wanted.name)
        made = await self.space.run(work)
        await self.noted("folder", text_of(made.path))
        self.answer(file_schemas.MadeFolder(path=roots.shown(made)))
