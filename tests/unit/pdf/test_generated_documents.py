"""Varied documents with known events: every field of every event is compared."""

import os

import pymupdf
import pytest

from tests.support.documents.generate import document, stripped
from tests.support.documents.reading import extract

#: For a longer run, use `UPSCHEDULE_TEST_DOCUMENTS=5000 pytest tests/unit/pdf/test_generated_documents.py`.
COUNT = int(os.environ.get("UPSCHEDULE_TEST_DOCUMENTS", "200"))


@pytest.mark.parametrize("seed", range(COUNT))
def test_every_field_of_every_event_is_read(seed: int) -> None:
    generated = document(seed, may_lose_pages=True)

    extraction = extract(generated.data)

    assert stripped(extraction.events) == generated.events, generated.made
    assert extraction.pages == generated.pages


@pytest.mark.parametrize("rows_max", [10, 20, 60, 100, 150])
@pytest.mark.parametrize("seed", range(20))
def test_every_field_of_a_complete_document_of_any_length_is_read(seed: int, rows_max: int) -> None:
    """The tests of the cluster upload these seeds, and a refusal there takes minutes to show."""
    generated = document(seed, rows_max=rows_max)

    assert stripped(extract(generated.data).events) == generated.events, generated.made


@pytest.mark.parametrize("seed", range(0, COUNT, 4))
def test_warnings_name_what_is_missing_and_nothing_else(seed: int) -> None:
    generated = document(seed, may_lose_pages=True)

    messages = [warning.message for warning in extract(generated.data).warnings]

    assert all(any(wanted in message for message in messages) for wanted in generated.warnings), (
        generated.made,
        messages,
    )
    allowed = generated.warnings + generated.possible
    assert all(any(wanted in message for wanted in allowed) for message in messages), (generated.made, messages)


@pytest.mark.parametrize("seed", range(0, COUNT, 10))
def test_each_event_keeps_the_place_that_says_its_start(seed: int) -> None:
    generated = document(seed, rows_max=8, may_lose_pages=True)

    events = extract(generated.data).events

    with pymupdf.open(stream=generated.data) as pdf:
        texts = [page.get_displaylist(annots=0).get_textpage(pymupdf.TEXTFLAGS_WORDS) for page in pdf]
        for event in events:
            box = event.boxes[0]
            shown = pymupdf.TextPage(texts[box.page - 1]).extractTextbox(
                pymupdf.Rect(box.left - 1, box.top - 1, box.right + 1, box.bottom + 1)
            )
            assert box.page == event.page
            assert event.start in shown.replace("\n", ""), (generated.made, event)
