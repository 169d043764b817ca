"""The documentation is complete and up to date: settings, commands, dependencies and links."""

import json
import re
import tomllib
from pathlib import Path

import click
import pytest

from vibetunnel import cli, settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEPENDENCIES = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


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


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
