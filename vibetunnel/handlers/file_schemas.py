"""The JSON of files. Names follow the Node server; those below /api/filesystem follow the Go server."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from vibetunnel.files.listing import Kind
from vibetunnel.files.names import MAX_PATH
from vibetunnel.handlers.schemas import Offset
from vibetunnel.handlers.validation import Given

_PATH = "Absolute, with `~`, or relative to the first root. The `path` of an answer can be sent as it is."
FilePath = Annotated[str, Meta(max_length=MAX_PATH // 2, description=_PATH)]  # in a URL, it has to fit into a header
FileName = Annotated[str, Meta(min_length=1, max_length=1024)]
GitStatus = Literal["modified", "added", "deleted", "untracked", "unchanged"]


class PathQuery(Given):
    path: FilePath


class BrowseQuery(Given, kw_only=True, rename="camel"):
    path: FilePath = "."
    show_hidden: Annotated[bool, Meta(description="Also names that begin with a dot.")] = False
    git_filter: Annotated[
        Literal["all", "changed", "none"], Meta(description="`changed`: all changed files below the folder.")
    ] = "all"


class CompletionsQuery(Given):
    path: FilePath = ""


class FileEntry(msgspec.Struct, kw_only=True, rename="camel"):
    name: str
    path: Annotated[str, Meta(description="For the next request: relative to the first root, or absolute.")]
    type: Annotated[Kind, Meta(description="Of a link: of what it leads to. `other` is not opened.")]
    size: Annotated[int, Meta(description="Bytes.")]
    modified: str
    permissions: Annotated[str, Meta(description="In octal, such as 644.")]
    is_git_tracked: bool
    git_status: GitStatus | UnsetType = UNSET
    is_symlink: bool


class FolderGitStatus(msgspec.Struct, kw_only=True):
    """The changed files below the folder, relative to it."""

    is_git_repo: Literal[True] = msgspec.field(name="isGitRepo", default=True)
    branch: str
    modified: list[str] = []
    added: list[str] = []
    deleted: list[str] = []
    untracked: list[str] = []


class Browsed(msgspec.Struct, kw_only=True, rename="camel"):
    """A folder. `files` is its last field."""

    path: Annotated[str, Meta(description="As it was asked for.")]
    full_path: str
    git_status: FolderGitStatus | None
    root: Annotated[str, Meta(description="The root that it is in.")]
    roots: Annotated[list[str], Meta(description="All roots, absolute.")]
    parent: Annotated[str | None, Meta(description="For the next request; null for a root.")]
    writable: Annotated[bool, Meta(description="This principal may store files.")]
    truncated: Annotated[bool, Meta(description="There are more entries than are listed.")]
    files: list[FileEntry]


class FilePreview(msgspec.Struct, kw_only=True, rename="camel"):
    type: Literal["text", "image", "binary"]
    mime_type: str
    size: int
    human_size: str
    content: Annotated[str | UnsetType, Meta(description="Of a text.")] = UNSET
    language: Annotated[str | UnsetType, Meta(description="Of a text, such as python, or plaintext.")] = UNSET
    truncated: Annotated[bool | UnsetType, Meta(description="The text is longer than `content`.")] = UNSET
    url: Annotated[str | UnsetType, Meta(description="Of an image.")] = UNSET


class FileContent(msgspec.Struct, kw_only=True):
    path: str
    content: str
    language: str


class FileDiff(msgspec.Struct, kw_only=True, rename="camel"):
    """The changes of a file since the last commit (HEAD)."""

    path: str
    diff: Annotated[str, Meta(description="A unified diff.")]
    has_diff: bool


class DiffContent(msgspec.Struct, kw_only=True, rename="camel"):
    path: str
    original_content: Annotated[str, Meta(description="In HEAD; without a repository, the present content.")]
    modified_content: str
    language: str


class FolderBody(Given):
    path: Annotated[str, Meta(max_length=MAX_PATH, description="The folder above.")]
    name: FileName


class MadeFolder(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    path: str


class PathCompletion(msgspec.Struct, kw_only=True, rename="camel"):
    name: str
    path: str
    type: Kind
    suggestion: Annotated[str, Meta(description="The whole path to go on with; that of a folder ends in `/`.")]
    is_repository: bool
    git_branch: str | UnsetType = UNSET
    git_status_count: int = 0
    git_added_count: int = 0
    git_modified_count: int = 0
    git_deleted_count: int = 0
    is_worktree: bool = False


class Completions(msgspec.Struct, kw_only=True, rename="camel"):
    completions: list[PathCompletion]
    partial_path: str = ""


# Uploads


class FolderQuery(Given):
    path: Annotated[
        FilePath | None, Meta(description="Folder of the new file. Default: the folder of pasted files.")
    ] = None


class UploadedFile(msgspec.Struct, kw_only=True, rename="camel"):
    success: Literal[True] = True
    filename: str
    original_name: str
    size: int
    mimetype: str
    path: Annotated[str, Meta(description="Absolute: for the terminal.")]
    relative_path: str


class StoredFile(msgspec.Struct, kw_only=True, rename="camel"):
    success: Literal[True] = True
    name: str
    path: Annotated[str, Meta(description="For the next request.")]
    full_path: str
    size: int


class NewUpload(Given, kw_only=True):
    path: Annotated[str, Meta(max_length=MAX_PATH, description="Folder of the new file.")]
    name: FileName
    size: Annotated[Offset, Meta(description="Bytes of the whole file.")]


class PieceQuery(Given):
    offset: Annotated[Offset, Meta(description="Where the piece begins: `offset` of the last answer.")]


class UploadView(msgspec.Struct, kw_only=True, rename="camel"):
    id: str
    name: Annotated[str, Meta(description="Of the complete file: made safe, and with a number if it was taken.")]
    size: int
    offset: Annotated[int, Meta(description="Bytes that have arrived: the next piece begins here.")]
    complete: bool
    path: str | UnsetType = UNSET
    full_path: str | UnsetType = UNSET


class PastedFile(msgspec.Struct, kw_only=True, rename="camel"):
    filename: str
    size: int
    created_at: str
    modified_at: str
    url: str
    extension: str


class PastedFiles(msgspec.Struct, kw_only=True):
    count: int
    files: list[PastedFile]


# The Go server's


class LsQuery(Given, kw_only=True, rename="camel"):
    path: FilePath = "."
    show_hidden: bool = False
    sort_by: Literal["name", "size", "modTime"] = "name"
    sort_desc: bool = False


class LsEntry(msgspec.Struct, kw_only=True, rename="camel"):
    name: str
    path: str
    type: Kind
    size: int
    mode: str
    mod_time: str
    is_hidden: bool
    permissions: str
    is_symlink: bool
    symlink_target: str | UnsetType = UNSET


class LsAnswer(msgspec.Struct, kw_only=True):
    path: str
    parent: str | UnsetType = UNSET
    truncated: bool = False
    directories: list[LsEntry]
    files: list[LsEntry]


class PathAndMode(Given):
    path: FilePath
    mode: Annotated[int | str | None, Meta(description="Permissions: a number, or octal digits. Default: 0755.")] = None


class RemoveBody(Given):
    path: FilePath
    recursive: Annotated[bool, Meta(description="Also a folder that is not empty.")] = False
    force: Annotated[bool, Meta(description="A missing file is no error.")] = False


class DoneWithPath(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    message: str
    path: str


class FormQuery(Given):
    path: Annotated[FilePath | None, Meta(description="Folder of the new files; or the form's field `path`.")] = None


class StoredFiles(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    message: str
    path: str
    files: list[StoredFile]
