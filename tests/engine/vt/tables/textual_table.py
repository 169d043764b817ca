"""The cells in a table of Textual, with a border around it. record.py runs it, and moves down in it."""

from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.widgets import DataTable

CELLS = Path(__file__).with_name("cells.txt").read_text(encoding="utf-8").splitlines()


class Table(App[None]):
    CSS = "DataTable { border: round cyan; scrollbar-size: 0 0 }"
    BINDINGS: ClassVar = [("q", "quit", "Quit")]

    def compose(self) -> ComposeResult:
        yield DataTable(zebra_stripes=True, cursor_type="row")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns("what", "by 🧪", "note")
        for at in range(0, len(CELLS), 2):
            table.add_row(CELLS[at], CELLS[at + 1], CELLS[-at - 1])


Table().run()
