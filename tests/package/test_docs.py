"""The documentation is complete and up to date: settings, commands, dependencies and links."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from vibetunnel import cli, settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEPENDENCIES = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "vibetunnel" / "web" / "README.md"]

LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
TARGET = re.compile(r"\]\([^)]+\)")
PATH = re.compile(r"`((?:vibetunnel|ext|tests|benchmarks)/[\w./*-]+)`")
TERM = re.compile(r"^\*\*(.+?)\.\*\*", re.MULTILINE)
BUILT = "vibetunnel/web/static"  # not in a checkout
WIDTH = 100  # columns of prose

of_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def named(requirement: str) -> str:
    """The name in a requirement such as `tornado>=6.5.7`."""
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return found[0]


def test_readme_lists_every_setting_in_order_with_its_default_and_help() -> None:
    documented = [line for line in README.splitlines() if line.startswith("| `--")]
    expected = [
        f"| `--{name.replace('_', '-')}` | {settings.default_text(name)} | {field.metadata['help']} |"
        for name, field in settings.FIELDS.items()
    ]
    assert documented == expected


def test_readme_names_every_command() -> None:
    for command in cli.main.list_commands(click.Context(cli.main)):
        assert f"vibetunnel {command}" in README, command


def test_every_python_dependency_has_its_reason() -> None:
    project = PROJECT["project"]
    requirements = [*PROJECT["build-system"]["requires"], *project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        requirements += extra
    for requirement in requirements:
        assert f"- **{named(requirement)}**" in DEPENDENCIES, requirement


def test_every_npm_dependency_has_its_reason() -> None:
    package = json.loads((ROOT / "vibetunnel" / "web" / "package.json").read_text(encoding="utf-8"))
    for name in [*package.get("dependencies", {}), *package.get("devDependencies", {})]:
        assert f"- **{name}**" in DEPENDENCIES, name


def test_only_used_dependencies_are_explained() -> None:
    package = json.loads((ROOT / "vibetunnel" / "web" / "package.json").read_text(encoding="utf-8"))
    peer = json.loads((ROOT / "benchmarks" / "peers" / "node_package" / "package.json").read_text(encoding="utf-8"))
    project = PROJECT["project"]
    used = {named(each) for each in [*PROJECT["build-system"]["requires"], *project["dependencies"]]}
    for extra in project["optional-dependencies"].values():
        used |= {named(each) for each in extra}
    used |= {*package.get("dependencies", {}), *package.get("devDependencies", {}), *peer["dependencies"]}
    assert set(re.findall(r"^- \*\*(.+?)\*\*", DEPENDENCIES, flags=re.MULTILINE)) == used


@of_each_page
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@of_each_page
def test_paths_in_the_documentation_exist(page: Path) -> None:
    paths = {path for path in PATH.findall(page.read_text(encoding="utf-8")) if not path.startswith(BUILT)}
    assert [path for path in sorted(paths) if not any(ROOT.glob(path.rstrip("/")))] == []


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """(number, line) of a page, without code, tables and images."""
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        text = line.lstrip()
        if text.startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("    ") and not text.startswith(("|", "!")):
            yield number, line


@of_each_page
def test_prose_is_wrapped(page: Path) -> None:
    # The target of a link cannot be broken, so it does not count.
    assert [number for number, line in prose(page) if len(TARGET.sub("]", line)) > WIDTH] == []


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / target).resolve() for target in LINK.findall(index.read_text(encoding="utf-8"))}
    assert [page.name for page in PAGES if page != index and page not in listed] == []


def test_the_glossary_is_in_order_and_its_words_are_used() -> None:
    glossary = ROOT / "docs" / "glossary.md"
    terms = TERM.findall(glossary.read_text(encoding="utf-8"))
    assert terms == sorted(set(terms), key=str.lower)
    used = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page != glossary)
    words = " ".join(re.findall(r"[\w-]+", used.lower()))
    assert [term for term in terms if f" {term.lower()}" not in words] == []
