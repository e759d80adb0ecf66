"""A schedule that a browser prints again, with page breaks inside of cells, margins, headers and footers."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser

from tests.support.documents.generate import rows_of
from tests.support.documents.html import page_of
from tests.support.documents.reading import extract
from tests.support.documents.schedules import KINDS, Kind
from upschedule.timetable.event import Event

PRINTS: list[dict[str, Any]] = [
    {"margin": dict.fromkeys(("top", "right", "bottom", "left"), "36px")},
    {"margin": {"top": "36px", "left": "36px", "right": "20px", "bottom": "90px"}},
    {"scale": 0.7, "display_header_footer": True, "margin": dict.fromkeys(("top", "bottom", "left"), "50px")},
    {"scale": 0.9, "format": "Letter", "margin": {"top": "24px", "left": "24px", "bottom": "50px"}},
]


@pytest.mark.parametrize("repeats_header", [False, True], ids=["header once", "header on each page"])
@pytest.mark.parametrize("options", PRINTS, ids=range(len(PRINTS)))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.title)
def test_a_schedule_that_chromium_printed_again_is_read_exactly(
    chromium: Browser, kind: Kind, options: dict[str, Any], *, repeats_header: bool, tmp_path: Path
) -> None:
    rows = rows_of(Random(kind.title), kind, 40)  # noqa: S311 - varied, not secret
    page = chromium.new_page()
    page.set_content(page_of(kind, rows, repeats_header=repeats_header))
    data = page.pdf(**({"format": "A4", "landscape": True} | options))
    page.close()
    (tmp_path / "printed.pdf").write_bytes(data)

    extraction = extract(data)

    assert Counter(map(_text, extraction.events)) == Counter(_text(event) for row in rows for event in row.events)
    assert extraction.pages > 1
    assert [warning for warning in extraction.warnings if "outside the table" not in warning.message] == []


def _text(event: Event) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(event, boxes=(), page=0))
