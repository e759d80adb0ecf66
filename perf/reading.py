"""Measures how fast a schedule becomes cells, beside the words of PyMuPDF and of pypdfium2, and pdfplumber's tables.

Run: `.venv/bin/python perf/reading.py [FILE …]`. Without files it takes generated ones, and real samples where they
are at hand. Times are processor time, the best of several rounds in turn, since other programs share the machine; a
document is opened anew for each, outside the clock. Cells are the words of each cell; `open` is what opening a document
checks before a page is read; `events` is the whole reading.
The goals: at most 1.5 times the words, at least 25 times as fast as pdfplumber.
"""

import importlib.metadata
import io
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import pdfplumber
import pymupdf
import pypdfium2

from tests.support.documents import refused
from tests.support.documents.reading import extract
from tests.support.documents.schedules import EXAMS, LECTURES, TESTS
from upschedule.pdf.cells import read_tables
from upschedule.pdf.document import open_document
from upschedule.pdf.grid import find_grids
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.page import read_page
from upschedule.pdf.rules import find_rules

LIMITS = ReadingLimits()
ROUNDS = 40
PLUMBER_ROUNDS = 3
WORDS_RATIO_MAX = 1.5
PLUMBER_RATIO_MIN = 25.0
SAMPLES = Path(__file__).parents[2] / "shared" / "samples"


def words(data: bytes) -> float:
    document = pymupdf.open(stream=data, filetype="pdf")
    return timed(lambda: [page.get_text("words") for page in document])


def cells(data: bytes) -> float:
    with open_document(data, limits=LIMITS) as opened:

        def read() -> None:
            for number in range(1, opened.document.page_count + 1):
                page = read_page(opened, number, limits=LIMITS)
                read_tables(page.words, find_grids(find_rules(page.strokes)), page.frame)

        return timed(read)


def opening(data: bytes) -> float:
    def read() -> None:
        with open_document(data, limits=LIMITS):
            pass

    return timed(read)


def events(data: bytes) -> float:
    return timed(lambda: extract(data))


def plumber(data: bytes) -> float:
    with pdfplumber.open(io.BytesIO(data)) as document:
        return timed(lambda: [page.extract_tables() for page in document.pages])


def pdfium(data: bytes) -> float:
    """Pieces of text with their frames, the nearest that it has to words."""
    document = pypdfium2.PdfDocument(data)

    def read() -> None:
        for page in document:
            text = page.get_textpage()
            for number in range(text.count_rects()):
                text.get_text_bounded(*text.get_rect(number))

    try:
        return timed(read)
    finally:
        document.close()


def timed(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def documents() -> dict[str, bytes]:
    if sys.argv[1:]:
        return {Path(name).name: Path(name).read_bytes() for name in sys.argv[1:]}
    made = {f"generated {kind.title}, 60 rows": refused.schedule(kind, rows=60) for kind in (LECTURES, TESTS, EXAMS)}
    return {f"sample {path.stem}": path.read_bytes() for path in sorted(SAMPLES.glob("*.pdf"))} | made


def main() -> int:
    """Print a row a document; 1 if a goal is missed."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("pymupdf", "pypdfium2", "pdfplumber")
    )
    print(f"Python {platform.python_version()}, {versions}; {ROUNDS} rounds; python {' '.join(sys.argv)}")
    print(f"{'document':30}{'pages':>6}{'words ms':>10}{'cells ms':>10}{'open ms':>10}{'events ms':>11}", end="")
    print(f"{'pdfium ms':>11}{'plumber ms':>12}", end="")
    print(f"{'cells/words':>13}{'cells/pdfium':>14}{'plumber/cells':>15}")
    missed = False
    for name, data in documents().items():
        best = {way: min(way(data) for _ in range(3)) for way in (words, cells, opening, events, pdfium)}
        for _ in range(ROUNDS):
            best = {way: min(took, way(data)) for way, took in best.items()}
        slow = min(plumber(data) for _ in range(PLUMBER_ROUNDS))
        over, under = best[cells] / best[words], slow / best[cells]
        missed = missed or over > WORDS_RATIO_MAX or under < PLUMBER_RATIO_MIN
        row = "".join(
            f"{took * 1000:{width}.2f}" for took, width in zip(best.values(), (10, 10, 10, 11, 11), strict=True)
        )
        pages = pymupdf.open(stream=data).page_count
        print(f"{name:30}{pages:6}{row}{slow * 1000:12.0f}{over:13.2f}{best[cells] / best[pdfium]:14.2f}{under:15.0f}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
