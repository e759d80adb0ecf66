"""Options that the commands of one machine's backups share."""

import errno
import functools
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn, ParamSpec

import click
import psycopg

from upschedule.operations.backup_file.context import BackupLimits
from upschedule.operations.backup_file.errors import BackupError, ExitCode, NewerBackup, NoSpace
from upschedule.operations.embedded.errors import EmbeddedServerError
from upschedule.operations.local.preconditions import LocalStackRefused
from upschedule.operations.local.progress import TimedProgress
from upschedule.operations.migration.errors import ContractedByNewerRelease, MigrationError
from upschedule.operations.privileges.errors import RoleMissing
from upschedule.operations.subprocesses import ProgramFailed

P = ParamSpec("P")

#: Of these commands; the processes of `make run` must not get it.
KEY_FILE_VARIABLE = "UPSCHEDULE_BACKUP_KEY_FILE"
_LIMITS = BackupLimits()
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_WORDS = "No space left on device"

data = click.option(
    "--data",
    envvar="UPSCHEDULE_DATA",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".data"),
    show_default=True,
    help="The data of `make run`.",
)
key_file = click.option(
    "--key-file",
    envvar=KEY_FILE_VARIABLE,
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help=f"The key, from `upschedule backup key`. Or in {KEY_FILE_VARIABLE}.",
)


def limits(run: Callable[P, None]) -> Callable[P, None]:
    """Adds the options of the bounds."""
    options = (
        click.option(
            "--program-seconds",
            type=click.FloatRange(0, min_open=True),
            default=_LIMITS.program_seconds,
            show_default=True,
            help="Longest run of pg_dump or pg_restore.",
        ),
        click.option(
            "--store-seconds",
            type=click.FloatRange(0, min_open=True),
            default=_LIMITS.store_seconds,
            show_default=True,
            help="Longest silence of the S3 store.",
        ),
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), run)


def exits(held: str) -> Callable[[Callable[P, ExitCode]], Callable[P, None]]:
    """Ends the process with an exit code; after a failure `held` says what holds now."""

    def decorate(run: Callable[P, ExitCode]) -> Callable[P, None]:
        @functools.wraps(run)
        def command_with_exit(*args: P.args, **kwargs: P.kwargs) -> None:
            before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
            try:
                code = run(*args, **kwargs)
            except KeyboardInterrupt:
                _end(ExitCode.INTERRUPTED, "Interrupted.", held)
            except (*_KNOWN, OSError) as error:
                _end(_exit_code(error), str(error).strip(), held)
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
            sys.exit(code)

        return command_with_exit

    return decorate


def progress() -> Callable[[str], None]:
    """Lines on standard error."""
    return TimedProgress(functools.partial(click.echo, err=True)).report


_KNOWN = (
    BackupError,
    EmbeddedServerError,
    LocalStackRefused,
    MigrationError,
    ProgramFailed,
    RoleMissing,
    psycopg.Error,
)


def _exit_code(error: Exception) -> ExitCode:
    full = isinstance(error, OSError) and error.errno in _FULL
    if full or _FULL_WORDS in str(error):
        return NoSpace.exit_code
    if isinstance(error, BackupError):
        return error.exit_code
    if isinstance(error, ContractedByNewerRelease):
        return NewerBackup.exit_code
    return ExitCode.REFUSED if isinstance(error, LocalStackRefused | MigrationError) else ExitCode.UNAVAILABLE


def _end(code: ExitCode, reason: str, held: str) -> NoReturn:
    click.echo(f"{reason.rstrip('.')}. {held}", err=True)
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
