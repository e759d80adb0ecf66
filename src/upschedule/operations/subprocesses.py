"""Runs programs as subprocesses, with a timeout and errors that name the program."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from psycopg.pq import Conninfo

_STDERR_CHARACTERS_MAX = 600


class ProgramFailed(Exception):
    """A program is missing, failed or took too long."""

    def __init__(self, program: str, reason: str) -> None:
        self.program = program
        self.reason = reason
        super().__init__(f"{program}: {reason}")


def run_program(
    argv: Sequence[str | Path],
    *,
    timeout_seconds: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | None = None,
) -> bytes:
    """Returns standard output, unless it goes to `output`. Raises ProgramFailed with the end of standard error."""
    name = Path(argv[0]).name
    try:
        done = subprocess.run(  # noqa: S603 - programs and arguments come from this project or its operator
            argv,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout_seconds,
            check=False,
        )
    except OSError as error:
        raise ProgramFailed(name, error.strerror or "cannot be started") from error
    except subprocess.TimeoutExpired as error:
        raise ProgramFailed(name, f"took longer than {timeout_seconds:.0f} s") from error
    if done.returncode != 0:
        raise ProgramFailed(name, done.stderr.decode(errors="replace").strip()[-_STDERR_CHARACTERS_MAX:])
    return done.stdout or b""


def connection_environment(dsn: str) -> dict[str, str]:
    """Passes the password in the environment, since all users of the machine can read a process's arguments."""
    options = Conninfo.parse(dsn.encode())
    return {option.envvar.decode(): option.val.decode() for option in options if option.envvar and option.val}
