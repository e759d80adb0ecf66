"""The golden schedule is what it says."""

import msgspec

from tests.support.documents.golden import made, printed
from tests.support.documents.reading import extract
from upschedule import golden


def test_the_files_are_those_that_their_program_makes() -> None:
    """`python -m tests.support.documents.golden` makes them again."""
    assert golden.load() == made()


def test_a_page_break_cuts_one_of_its_rows() -> None:
    """The hardest thing that a reader meets."""
    assert printed().pages == 2
    assert [row for row in printed().placed if row.more_pages]


def test_this_release_reads_it_exactly() -> None:
    loaded = golden.load()

    assert loaded.agrees(extract(loaded.document))


def test_one_venue_less_is_no_agreement() -> None:
    loaded = golden.load()
    read = extract(loaded.document)
    first = msgspec.structs.replace(read.events[0], venues=())

    assert not loaded.agrees(msgspec.structs.replace(read, events=(first, *read.events[1:])))
