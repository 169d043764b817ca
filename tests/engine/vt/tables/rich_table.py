"""The cells in a table of rich. record.py runs it."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

cells = Path(__file__).with_name("cells.txt").read_text(encoding="utf-8").splitlines()
table = Table("what", "by 🧪", "note", border_style="cyan", row_styles=["", "on grey15"])
for at in range(0, len(cells), 2):
    table.add_row(cells[at], cells[at + 1], cells[-at - 1])
Console(force_terminal=True, color_system="256").print(table)
