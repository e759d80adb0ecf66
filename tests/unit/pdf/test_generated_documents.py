"""Varied documents with known truth: every field of every event."""

import os

import pymupdf
import pytest

from tests.support.documents.generate import document, stripped
from tests.support.documents.reading import extract

#: A longer run is `UPSCHEDULE_TEST_DOCUMENTS=5000 pytest tests/unit/pdf/test_generated_documents.py`.
COUNT = int(os.environ.get("UPSCHEDULE_TEST_DOCUMENTS", "200"))


@pytest.mark.parametrize("seed", range(COUNT))
def test_every_field_of_every_event_is_read(seed: int) -> None:
    made = document(seed, may_lose_pages=True)

    extraction = extract(made.data)

    assert stripped(extraction.events) == made.events, made.made
    assert extraction.pages == made.pages


@pytest.mark.parametrize("rows_max", [10, 20, 60, 100, 150])
@pytest.mark.parametrize("seed", range(20))
def test_every_field_of_a_complete_document_of_any_length_is_read(seed: int, rows_max: int) -> None:
    """The tests of the cluster upload these seeds, and a refusal there takes minutes to show."""
    made = document(seed, rows_max=rows_max)

    assert stripped(extract(made.data).events) == made.events, made.made


@pytest.mark.parametrize("seed", range(0, COUNT, 4))
def test_warnings_name_what_is_missing_and_nothing_else(seed: int) -> None:
    made = document(seed, may_lose_pages=True)

    messages = [warning.message for warning in extract(made.data).warnings]

    assert all(any(wanted in message for message in messages) for wanted in made.warnings), (made.made, messages)
    allowed = made.warnings + made.possible
    assert all(any(wanted in message for wanted in allowed) for message in messages), (made.made, messages)


@pytest.mark.parametrize("seed", range(0, COUNT, 10))
def test_each_event_keeps_the_place_that_says_its_start(seed: int) -> None:
    made = document(seed, rows_max=8, may_lose_pages=True)

    events = extract(made.data).events

    with pymupdf.open(stream=made.data) as pdf:
        texts = [page.get_displaylist(annots=0).get_textpage(pymupdf.TEXTFLAGS_WORDS) for page in pdf]
        for event in events:
            box = event.boxes[0]
            shown = pymupdf.TextPage(texts[box.page - 1]).extractTextbox(
                pymupdf.Rect(box.left - 1, box.top - 1, box.right + 1, box.bottom + 1)
            )
            assert box.page == event.page
            assert event.start in shown.replace("\n", ""), (made.made, event)
