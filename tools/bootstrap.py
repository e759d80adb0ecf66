"""Installs the locked packages into `.venv`, then becomes the command given.

`python3 tools/bootstrap.py GROUP COMMAND [ARGUMENT …]`

GROUP is a dependency group: `servers` for running, `dev` for everything. With `--prerequisites PART …` it only looks
for what the system must have (tools/prerequisites.py). It needs Python and a network; pip and venv may be missing.
Python 3.6 must be able to read this file, so that it can ask for a newer one.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PR_SET_PDEATHSIG = 1
PYTHON_OLDEST = (3, 11)
FITTING_PYTHONS = ("python3.13", "python3.12", "python3.11", "python3.14")
GIGABYTES_NEW, GIGABYTES_UPDATE = 1.5, 0.3


def main(group: str, command: str, *arguments: str) -> None:
    ensure_python()
    if sys.platform != "linux":
        sys.exit("Linux is needed: the servers and the protections around hostile files are Linux programs.")
    # As a program this file's own folder is on the path; `python -m` would put the root there.
    sys.path[0] = str(ROOT)
    if group == "--prerequisites":
        sys.exit(look_for_prerequisites(command, *arguments))
    if not (ROOT / "uv.lock").exists():
        sys.exit("uv.lock is missing: this is not a complete copy of the project.")
    ensure_room()
    install(group)
    program = ENVIRONMENT / "bin" / command
    os.chdir(ROOT)
    # nox starts the environment's programs by name.
    os.environ["PATH"] = os.pathsep.join([str(ENVIRONMENT / "bin"), os.environ.get("PATH", os.defpath)])
    # When make ends, even by SIGKILL, the command ends too.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    os.execv(program, [str(program), *arguments])  # noqa: S606 - it becomes the command, as its caller asked


def ensure_python() -> None:
    """Go on with a fitting interpreter, or say which one to install."""
    if sys.version_info[:2] >= PYTHON_OLDEST:
        return
    for name in FITTING_PYTHONS:
        found = shutil.which(name)
        if found and subprocess.call([found, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            os.execv(found, [found, *sys.argv])  # noqa: S606 - the same file under another Python
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit(f"Python 3.11 or newer is needed; python3 is {found}. On Debian 12 or newer: apt install python3")


def ensure_room() -> None:
    needed = GIGABYTES_UPDATE if ENVIRONMENT.exists() else GIGABYTES_NEW
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < needed:
        sys.exit(f"Too little disk: {free:.1f} GB are free at {ROOT}, {needed} GB are needed. Free some and run again.")


def look_for_prerequisites(*parts: str) -> int:
    from tools import prerequisites  # noqa: PLC0415 - an older Python cannot read it

    return prerequisites.main(*parts)


def install(group: str) -> None:
    from tools.installation.errors import InstallationError  # noqa: PLC0415 - as above
    from tools.installation.virtual_environment import synchronise  # noqa: PLC0415 - an older Python cannot read it

    try:
        synchronise(ROOT, group)
    except InstallationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"The installation failed: {error}. It must be able to write to {ROOT}.")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
