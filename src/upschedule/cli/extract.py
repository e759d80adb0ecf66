"""`upschedule extract FILE`: reads a schedule PDF in the sandbox and prints its content."""

from pathlib import Path

import click
import msgspec

from upschedule.cli.failing import fail
from upschedule.cli.schedule_table import render
from upschedule.pdf import errors
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox import read_once
from upschedule.pdf.sandbox.errors import SandboxFailed
from upschedule.pdf.sandbox.limits import SandboxLimits
from upschedule.timetable.event import Extraction

#: Exit codes by kind of failure; 1 and 2 are click's own.
_EXIT_CODES: dict[type[errors.UnreadableDocument], int] = {
    errors.EmptyFile: 10,
    errors.NotAPdf: 11,
    errors.TooLarge: 12,
    errors.NeedsPassword: 13,
    errors.Damaged: 14,
    errors.TooManyPages: 15,
    errors.Scanned: 16,
    errors.NotATimetable: 17,
    errors.OtherTimetable: 18,
    errors.EmptySchedule: 19,
    errors.TooComplex: 20,
    errors.TookTooLong: 21,
    errors.Incomplete: 22,
    errors.Recognised: 24,
    errors.Outlined: 25,
    errors.Unmapped: 26,
    errors.NoRules: 27,
}
_REFUSED = 23
_NOT_READ = 3


@click.command(name="extract")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(file: Path, *, as_json: bool) -> None:
    """Print every event of the schedule FILE, or refuse it whole.

    Exit codes 10 to 27 tell why a file is refused; its code and a sentence are then on standard error. Exit code 3: the
    sandbox failed, which is no fault of the file.
    """
    limits = ReadingLimits()
    try:
        extraction = _extract(file, limits)
    except errors.UnreadableDocument as error:
        fail(_EXIT_CODES.get(type(error), _REFUSED), f"{error.code}: {error.detail}")
    except SandboxFailed as error:
        fail(_NOT_READ, f"pdf-not-read: {error}")
    click.echo(msgspec.json.encode(extraction).decode() if as_json else render(extraction))


def _extract(file: Path, limits: ReadingLimits) -> Extraction:
    with file.open("rb") as stream:
        # One byte more than is allowed shows that the file is too large.
        data = stream.read(limits.size_bytes_max + 1)
    return read_once(data, limits=SandboxLimits(), reading=limits)
