"""Installs the locked dependencies into a directory, for one minor version of Python on one platform."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from upschedule.operations.subprocesses import run_program

#: A part of the name: another layout of the same dependencies is another archive.
_LAYOUT = 1
_QUESTION_SECONDS, _INSTALL_SECONDS = 60.0, 900.0
# Packages may contain files for newer versions of Python. Those do not compile here, and are not imported here.
_COMPILE = """
import compileall, py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
compileall.compile_dir(sys.argv[1], quiet=2, stripdir=sys.argv[1], invalidation_mode=mode)
"""
#: Files that describe the machine of the installation and not the installed package.
_HISTORY = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """`requirements` is a requirements file with hashes, `python` the interpreter on the nodes, `tag` its platform."""

    requirements: str
    python: Path
    tag: str

    @property
    def name(self) -> str:
        """The name of the archive: equal for equal content."""
        facts = f"{_LAYOUT}\n{self.tag}\n{self.requirements}"
        return f"environment-{hashlib.sha256(facts.encode()).hexdigest()[:16]}.tar.gz"


def read_environment(project: Path, python: Path) -> Environment:
    """Reads the lock file beside `project`'s pyproject.toml. Raises ProgramFailed."""
    export = ["uv", "export", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate", "--quiet"]
    requirements = run_program([*export, "--project", project], timeout_seconds=_QUESTION_SECONDS)
    question = "import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform())"
    tag = run_program([python, "-c", question], timeout_seconds=_QUESTION_SECONDS)
    return Environment(requirements=requirements.decode(), python=python, tag=tag.decode().strip())


def install(environment: Environment, scratch: Path, folder: Path) -> None:
    """Installs wheels only: a local build would differ from machine to machine. Raises ProgramFailed."""
    wanted = scratch / "requirements.txt"
    wanted.write_text(environment.requirements, encoding="utf-8")
    command = ["uv", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    where = ["--python", environment.python, "--target", folder, "--link-mode", "copy", "--no-config"]
    run_program(
        [*command, *where, "--requirements", wanted],
        timeout_seconds=_INSTALL_SECONDS,
        folder=scratch,
        environment={"UV_COMPILE_BYTECODE": "0"},
    )
    _remove_history(folder)
    compile_bytecode(environment.python, folder)


def compile_bytecode(python: Path, folder: Path) -> None:
    """Compiles bytecode without times and paths: a process cannot compile at its start, as it may not write there."""
    run_program(
        [python, "-c", _COMPILE, folder],
        timeout_seconds=_INSTALL_SECONDS,
        # A random seed would write sets of constants in another order each time.
        environment={"PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": ""},
    )


def _remove_history(folder: Path) -> None:
    # Scripts name the interpreter and the folder of this machine.
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for information in folder.glob("*.dist-info"):
        for name in _HISTORY:
            (information / name).unlink(missing_ok=True)
