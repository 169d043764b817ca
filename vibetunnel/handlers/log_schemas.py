"""The JSON of the log's routes. Names follow the Node server."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from vibetunnel.handlers.validation import Given


class ClientLine(Given):
    """POST /api/logs/client: what a client's page says."""

    level: Annotated[Literal["log", "warn", "error", "debug"], Meta(description="How severe it is.")]
    module: Annotated[str, Meta(description="The part of the client that says it.")]
    args: Annotated[list[Any], Meta(description="Texts, and any other JSON, which become one line.")]


class LogQuery(Given):
    """The query of GET /api/logs."""

    after: Annotated[int, Meta(ge=0, le=2**63 - 1, description="Only lines with a higher number.")] = 0


class LogInfo(msgspec.Struct, kw_only=True, rename="camel"):
    exists: Literal[True] = True
    size: Annotated[int, Meta(description="Bytes of GET /api/logs/raw.")]
    size_human: str
    last_modified: Annotated[str | None, Meta(description="When the newest line came.")]
    path: Annotated[Literal["memory"], Meta(description="Where the Node server has a file.")] = "memory"
