"""One word, one meaning: no two public classes of the package share a name."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLASS = re.compile(r"^class ([A-Z]\w*)", re.MULTILINE)


def test_every_public_class_has_a_name_of_its_own() -> None:
    files = [*(ROOT / "vibetunnel").rglob("*.py"), *(ROOT / "vibetunnel" / "_ext").glob("*.pyi")]
    names = Counter(name for file in files if "web" not in file.parts for name in CLASS.findall(file.read_text()))
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) > 200
