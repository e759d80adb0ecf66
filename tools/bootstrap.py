"""Makes the environment in `.venv`, then becomes the command given.

`python3 tools/bootstrap.py GROUP COMMAND [ARGUMENT …]`

GROUP is a dependency group: `servers` for running, `dev` for everything. Needs nothing but Python: it finds uv or
installs it into `.tools`. It must be readable by older versions of Python, to say so when one of them reads it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
TOOLS = ROOT / ".tools"
PR_SET_PDEATHSIG = 1
UV_VERSION = "0.13.9"
UV_OLDEST = (0, 9)
PYTHON_OLDEST = (3, 11)
FITTING_PYTHONS = ("python3.13", "python3.12", "python3.11", "python3.14")
GIGABYTES_NEW, GIGABYTES_UPDATE = 1.5, 0.3


def main(group: str, command: str, *arguments: str) -> None:
    ensure_python()
    if sys.platform != "linux":
        sys.exit("Linux is needed: the servers and the protections around hostile files are Linux programs.")
    if not (ROOT / "uv.lock").exists():
        sys.exit("uv.lock is missing: this is not a complete copy of the project.")
    ensure_room()
    synchronise(find_uv() or install_uv(), group)
    program = ENVIRONMENT / "bin" / command
    os.chdir(ROOT)
    # nox starts the environment's programs by name.
    os.environ["PATH"] = os.pathsep.join([str(ENVIRONMENT / "bin"), os.environ.get("PATH", os.defpath)])
    # Whoever ends make, even by SIGKILL, ends the command with it.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    os.execv(program, [str(program), *arguments])  # noqa: S606 - it becomes the command, as its caller asked


def ensure_python() -> None:
    """Go on with a fitting interpreter, or say which one to install."""
    if sys.version_info[:2] >= PYTHON_OLDEST:
        return
    for name in FITTING_PYTHONS:
        found = shutil.which(name)
        if found and answers([found, "-c", ""]):
            os.execv(found, [found, *sys.argv])  # noqa: S606 - the same file under another Python
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit(f"Python 3.11 or newer is needed; python3 is {found}. On Debian 12 or newer: apt install python3")


def ensure_room() -> None:
    needed = GIGABYTES_UPDATE if ENVIRONMENT.exists() else GIGABYTES_NEW
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < needed:
        sys.exit(f"Too little disk: {free:.1f} GB are free at {ROOT}, {needed} GB are needed. Free some and run again.")


def find_uv() -> list[str] | None:
    """The one on the path if it is new enough, else the one that was installed here before."""
    for candidate in (["uv"], [str(TOOLS / "bin" / "uv")]):
        if shutil.which(candidate[0]) and uv_version(candidate) >= UV_OLDEST:
            return candidate
    return None


def uv_version(uv: list[str]) -> tuple[int, ...]:
    """(0,) where it cannot be run."""
    answer = subprocess.run([*uv, "--version"], capture_output=True, text=True, check=False)
    words = answer.stdout.split()
    return tuple(int(part) for part in words[1].split(".")[:2]) if answer.returncode == 0 and len(words) > 1 else (0,)


def install_uv() -> list[str]:
    """Into `.tools`, by pip: in an environment of its own, or into a folder where Debian left `venv` out."""
    print(f"Installing uv {UV_VERSION} into {TOOLS} …", flush=True)
    shutil.rmtree(TOOLS, ignore_errors=True)
    package = f"uv=={UV_VERSION}"
    if answers([sys.executable, "-c", "import venv, ensurepip"]):
        run([sys.executable, "-m", "venv", str(TOOLS)], "The environment for uv could not be made")
        pip = [str(TOOLS / "bin" / "python"), "-m", "pip", "install", "--quiet", package]
    elif answers([sys.executable, "-m", "pip", "--version"]):
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(TOOLS), package]
    else:
        sys.exit("Neither uv nor pip is here. On Debian: apt install python3-venv, then run again.")
    run(pip, "uv could not be installed: see above (is there a network?)")
    return [str(TOOLS / "bin" / "uv")]


def synchronise(uv: list[str], group: str) -> None:
    print("Installing what uv.lock names …", flush=True)
    # A smaller group leaves what a larger one has installed; the interpreter of an existing environment stays.
    choice = ["--no-default-groups", "--group", group, "--inexact", "--compile-bytecode"]
    # The first time takes long enough to want to see it.
    manner = ["--quiet"] if ENVIRONMENT.exists() else ["--python", sys.executable]
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_PROJECT_ENVIRONMENT": str(ENVIRONMENT)}
    command = [*uv, "sync", "--frozen", "--project", str(ROOT), *choice, *manner]
    run(command, "The installation failed: see above", environment)


def answers(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run(command: list[str], failure: str, environment: dict[str, str] | None = None) -> None:
    if subprocess.run(command, env=environment, check=False).returncode != 0:
        sys.exit(f"{failure}.")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
