"""Makes the golden document of `src/upschedule/golden`: `python -m tests.support.documents.golden`."""

from pathlib import Path
from random import Random

import msgspec

from tests.support.documents.generate import Printed, print_by_portal
from tests.support.documents.schedules import LECTURES, lecture_row
from upschedule import golden
from upschedule.timetable.event import Extraction

SEED, ROWS = 26, 12


def printed() -> Printed:
    """The same bytes each time."""
    rng = Random(SEED)  # noqa: S311 - fixed
    return print_by_portal(LECTURES, [lecture_row(rng) for _ in range(ROWS)], rng)


def made() -> golden.Golden:
    """Expected is what was printed, not what some reader made of it."""
    document = printed()
    events = tuple(event for row in document.placed for event in row.events)
    return golden.Golden(document=document.data, expected=Extraction(events=events, pages=document.pages))


def main() -> None:
    """Write both files."""
    folder, whole = Path(golden.__file__).parent, made()
    (folder / "lectures.pdf").write_bytes(whole.document)
    (folder / "lectures.json").write_bytes(msgspec.json.format(msgspec.json.encode(whole.expected)) + b"\n")


if __name__ == "__main__":
    main()
