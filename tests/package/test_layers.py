"""Imports run one way, from the command line down to paths and errors, and no files import each other in a circle.

Every import counts for both rules: those inside functions, and those for type checkers only.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The highest first: a file imports its own layer and those below. A layer is modules and folders of vibetunnel/.
LAYERS = (
    "__main__",
    "cli",
    "server",
    "handlers",
    "metrics exposition push",
    "sessions",
    "http",
    "logs preferences",
    "security",
    "keeper files git multiplexers",
    "settings whereabouts",
    "paths errors",
    "__init__ _ext account delays protocol shell units",  # leaves
)
APART = {("sessions", "http"), ("metrics", "http"), ("exposition", "http")}  # the transport serves the handlers alone
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms.split()}


def imports(root: Path) -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports; without `vibetunnel.` in front."""
    package = root / "vibetunnel"
    files = {_name(file.relative_to(package)): file for file in package.rglob("*.py") if "web" not in file.parts}
    return {name: set(_imported(file, files)) - {name} for name, file in files.items()}


def upward(graph: dict[str, set[str]]) -> list[str]:
    """The imports that lead to a higher layer, and the rooms that have no layer."""
    strangers = {_room(name) for name in graph} - LEVEL.keys()
    wrong = [
        f"{name} imports {target}"
        for name, targets in graph.items()
        for target in targets
        if LEVEL.get(_room(target), 0) < LEVEL.get(_room(name), 0) or (_room(name), _room(target)) in APART
    ]
    return [*(f"{room} is in no layer" for room in sorted(strangers)), *sorted(wrong)]


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The files of one circle; none: there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _name(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"


def _room(name: str) -> str:
    return name.partition(".")[0]


def _imported(file: Path, modules: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{file}: a relative import"
            names = [f"{node.module}.{each.name}" for each in node.names]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        else:
            continue
        for name in names:
            package, _, inner = name.partition(".")
            if package == "vibetunnel":
                # A module, or a name in one.
                yield inner if inner in modules else inner.rpartition(".")[0] or "__init__"


def test_imports_run_one_way() -> None:
    assert upward(imports(ROOT)) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle(imports(ROOT)) == []


def _tree(root: Path, **files: str) -> dict[str, set[str]]:
    for name, text in files.items():
        path = root / "vibetunnel" / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return imports(root)


def test_an_import_that_leads_up_is_found_wherever_it_stands(tmp_path: Path) -> None:
    late = "def late():\n    from vibetunnel.handlers.base import X\n"
    typing = "if TYPE_CHECKING:\n    import vibetunnel.server\n"
    down = "from vibetunnel import __version__, paths\nfrom vibetunnel.errors import StartFailed\n"
    graph = _tree(
        tmp_path, __init__="__version__ = ''", server="", errors="", paths=typing, handlers__in__base=down,
        security__in__users=late, attic="",
    )  # fmt: skip
    assert upward(graph) == [
        "attic is in no layer",
        "paths imports server",
        "security.users imports handlers.base",
    ]
    assert graph["handlers.base"] == {"__init__", "errors", "paths"}


def test_sessions_know_no_transport(tmp_path: Path) -> None:
    graph = _tree(tmp_path, http__in__sockets="", sessions__in__session="from vibetunnel.http import sockets\n")
    assert upward(graph) == ["sessions.session imports http.sockets"]


def test_a_circle_is_found_also_if_a_type_checker_alone_sees_it(tmp_path: Path) -> None:
    typing = "if TYPE_CHECKING:\n    from vibetunnel.security.users import User\n"
    files = {"security__in__users": "from vibetunnel.security import keys\n", "security__in__keys": "import os\n"}
    assert circle(_tree(tmp_path, **files)) == []
    assert set(circle(_tree(tmp_path, **{**files, "security__in__keys": typing}))) == {
        "security.keys",
        "security.users",
    }
