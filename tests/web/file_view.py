"""The list of files in a browser: the panel beside a terminal, and the page."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Locator, expect
from visitor import Visitor

SHELL = ["sh"]
DROP = """(target, files) => {
    const transfer = new DataTransfer();
    for (const [name, text] of files) transfer.items.add(new File([text], name));
    for (const type of ["dragover", "drop"])
        target.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


def address(path: Path | str, line: int | None = None) -> str:
    return f"/files?path={quote(str(path), safe='/~')}" + ("" if line is None else f"&line={line}")


def row(visitor: Visitor, path: Path) -> Locator:
    return visitor.page.locator(f'[data-testid="file-row"][data-path="{path}"]')


def names(visitor: Visitor) -> list[str]:
    """The names of the rows, from the top."""
    return visitor.page.locator('[data-testid="file-row"] .name').all_inner_texts()


def until_names(visitor: Visitor, *expected: str) -> None:
    visitor.until(lambda: names(visitor) == list(expected))


def open_panel(visitor: Visitor, session: str) -> None:
    """The session's page with its files panel, which lists a folder."""
    visitor.open_session(session)
    visitor.at("files-open").click()
    expect(visitor.at("file-row").first).to_be_visible()
