"""The routes of files. routes.py takes them into the table."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers import file_schemas, files, go_files, schemas, transfers
from vibetunnel.handlers.route import Answer, Media, Operation, Permission, Route
from vibetunnel.http.multipart import FORM

_FILES = Permission.FILES
_STORE = Permission.STORE
_NOT_FOUND = HTTPStatus.NOT_FOUND
_CONFLICT = HTTPStatus.CONFLICT
_BUSY = HTTPStatus.SERVICE_UNAVAILABLE
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
_FULL = HTTPStatus.INSUFFICIENT_STORAGE
_WRONG = HTTPStatus.BAD_REQUEST

_LOOK = (_WRONG, _NOT_FOUND, _BUSY)
_READ = (*_LOOK, _TOO_LARGE)
_MAKE = (_WRONG, _NOT_FOUND, _CONFLICT, _BUSY, _FULL)
_BYTES = "application/octet-stream"
_DOWNLOAD: dict[int, Answer] = {200: Media("*/*"), 206: Media("*/*"), 304: None}
_DOWNLOAD_ERRORS = (*_LOOK, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)

FILE_ROUTES: tuple[Route, ...] = (
    Route(
        "/api/fs/browse",
        files.BrowseHandler,
        {
            "GET": Operation(
                "List a folder, folders first.",
                {200: file_schemas.Browsed},
                permission=_FILES,
                some=True,
                query=file_schemas.BrowseQuery,
                errors=_LOOK,
            )
        },
    ),
    Route(
        "/api/fs/completions",
        files.CompletionsHandler,
        {
            "GET": Operation(
                "Complete a path that a user types.",
                {200: file_schemas.Completions},
                permission=_FILES,
                some=True,
                query=file_schemas.CompletionsQuery,
                errors=_LOOK,
            )
        },
    ),
    Route(
        "/api/fs/preview",
        files.PreviewHandler,
        {
            "GET": Operation(
                "Look into a file: the text, cut at 1 MiB, or what else it is.",
                {200: file_schemas.FilePreview},
                permission=_FILES,
                some=True,
                query=file_schemas.PathQuery,
                errors=_READ,
            )
        },
    ),
    Route(
        "/api/fs/content",
        files.ContentHandler,
        {
            "GET": Operation(
                "Get the text of a file of at most 1 MiB.",
                {200: file_schemas.FileContent},
                permission=_FILES,
                some=True,
                query=file_schemas.PathQuery,
                errors=_READ,
            )
        },
    ),
    Route(
        files.RAW,
        transfers.RawHandler,
        {
            "GET": Operation(
                "Download a file, or a range of it.",
                _DOWNLOAD,
                permission=_FILES,
                some=True,
                query=file_schemas.PathQuery,
                errors=_DOWNLOAD_ERRORS,
            ),
            "PUT": Operation(
                "Store a new file. Nothing is overwritten.",
                {201: file_schemas.StoredFile},
                permission=_STORE,
                some=True,
                query=file_schemas.PathQuery,
                takes=(_BYTES,),
                errors=_MAKE,
            ),
        },
    ),
    Route(
        "/api/fs/archive",
        transfers.ArchiveHandler,
        {
            "GET": Operation(
                "Download a folder as a ZIP file.",
                {200: Media("application/zip")},
                permission=_FILES,
                some=True,
                query=file_schemas.PathQuery,
                errors=_READ,
            )
        },
    ),
    Route(
        "/api/fs/diff",
        files.DiffHandler,
        {
            "GET": Operation(
                "Get the changes of a file since the last commit.",
                {200: file_schemas.FileDiff},
                permission=_FILES,
                some=True,
                query=file_schemas.PathQuery,
                errors=_READ,
            )
        },
    ),
    Route(
        "/api/fs/diff-content",
        files.DiffContentHandler,
        {
            "GET": Operation(
                "Get a file as it is, and as it was at the last commit.",
                {200: file_schemas.DiffContent},
                permission=_FILES,
                some=True,
                query=file_schemas.PathQuery,
                errors=_READ,
            )
        },
    ),
    Route(
        "/api/fs/mkdir",
        files.MkdirHandler,
        {
            "POST": Operation(
                "Make a folder.",
                {200: file_schemas.MadeFolder},
                permission=_STORE,
                some=True,
                body=file_schemas.FolderBody,
                errors=_MAKE,
            )
        },
    ),
    Route(
        "/api/fs/uploads",
        transfers.UploadsHandler,
        {
            "POST": Operation(
                "Begin an upload in pieces, which can go on after a broken connection.",
                {201: file_schemas.UploadView},
                permission=_STORE,
                some=True,
                body=file_schemas.NewUpload,
                errors=(*_MAKE, _TOO_LARGE),
            )
        },
    ),
    Route(
        "/api/fs/uploads/{upload_id}",
        transfers.OneUploadHandler,
        {
            "GET": Operation(
                "Get how far an upload is.",
                {200: file_schemas.UploadView},
                permission=_STORE,
                some=True,
                errors=(_NOT_FOUND,),
            ),
            "PUT": Operation(
                "Send the next piece of an upload. The last one makes the file.",
                {200: file_schemas.UploadView},
                permission=_STORE,
                some=True,
                query=file_schemas.PieceQuery,
                takes=(_BYTES,),
                errors=_MAKE,
            ),
            "DELETE": Operation(
                "Give up an upload.",
                {200: schemas.DoneWithMessage},
                permission=_STORE,
                some=True,
                errors=(_NOT_FOUND, _CONFLICT, _BUSY),
            ),
        },
    ),
    Route(
        "/api/files/upload",
        transfers.FormUploadHandler,
        {
            "POST": Operation(
                "Upload a file to paste its path into a terminal; or, with `path`, into a folder.",
                {200: file_schemas.UploadedFile},
                permission=_STORE,
                query=file_schemas.FolderQuery,
                takes=(FORM,),
                errors=_MAKE,
            )
        },
    ),
    Route(
        "/api/files",
        transfers.PastedFilesHandler,
        {
            "GET": Operation(
                "List the files that were uploaded for terminals, the newest first.",
                {200: file_schemas.PastedFiles},
                permission=_FILES,
                errors=(_BUSY,),
            )
        },
    ),
    Route(
        "/api/files/{filename}",
        transfers.PastedFileHandler,
        {
            "GET": Operation(
                "Download a file that was uploaded for a terminal.",
                _DOWNLOAD,
                permission=_FILES,
                errors=_DOWNLOAD_ERRORS,
            ),
            "DELETE": Operation(
                "Remove a file that was uploaded for a terminal.",
                {200: schemas.DoneWithMessage},
                permission=_STORE,
                errors=_LOOK,
            ),
        },
    ),
    Route(
        "/api/filesystem/ls",
        go_files.LsHandler,
        {
            "GET": Operation(
                "List a folder, as the Go server does.",
                {200: file_schemas.LsAnswer},
                permission=_FILES,
                some=True,
                query=file_schemas.LsQuery,
                errors=_LOOK,
            )
        },
    ),
    Route(
        "/api/filesystem/download/{path*}",
        go_files.DownloadHandler,
        {
            "GET": Operation(
                "Download a file, as from the Go server.",
                _DOWNLOAD,
                permission=_FILES,
                some=True,
                errors=_DOWNLOAD_ERRORS,
            )
        },
    ),
    Route(
        "/api/filesystem/upload",
        go_files.GoUploadHandler,
        {
            "POST": Operation(
                "Upload files into a folder, as to the Go server.",
                {200: file_schemas.StoredFiles},
                permission=_STORE,
                some=True,
                query=file_schemas.FormQuery,
                takes=(FORM,),
                errors=_MAKE,
            )
        },
    ),
    Route(
        "/api/filesystem/mkdir",
        go_files.GoMkdirHandler,
        {
            "POST": Operation(
                "Make a folder, as the Go server does.",
                {201: file_schemas.DoneWithPath},
                permission=_STORE,
                some=True,
                body=file_schemas.PathAndMode,
                errors=_MAKE,
            )
        },
    ),
    Route(
        "/api/filesystem/rm",
        go_files.RmHandler,
        {
            "DELETE": Operation(
                "Remove a file or a folder, as the Go server does.",
                {200: file_schemas.DoneWithPath},
                permission=_STORE,
                some=True,
                body=file_schemas.RemoveBody,
                errors=(*_LOOK, _TOO_LARGE),
            )
        },
    ),
)
