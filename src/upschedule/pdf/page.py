"""One page: its words and the rules between them, from one run of the page."""

from typing import Any, NamedTuple

import pymupdf

from upschedule.pdf.document import check_content
from upschedule.pdf.errors import Damaged, TooComplex
from upschedule.pdf.frame import Frame, Word, text_turns
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.rules import Stroke

_FLAGS = pymupdf.TEXTFLAGS_WORDS | pymupdf.TEXT_COLLECT_VECTORS
_VECTOR = 3
#: What MuPDF reports when it goes on after losing a part of the page.
_LOSSES = ("syntax error", "zlib error", "premature end", "cannot find", "cannot load", "corrupt", "truncated")


class PageContents(NamedTuple):
    """What stands on a page, with its text upright."""

    words: list[Word]
    strokes: list[Stroke]
    frame: Frame


def read_page(document: Any, number: int, *, limits: ReadingLimits) -> PageContents:
    """Page `number`, counted from 1. Raises `TooComplex` or `Damaged`."""
    page = document[number - 1]
    check_content(document, page, limits)
    pymupdf.TOOLS.reset_mupdf_warnings()
    try:
        # A display list turns the page as its viewer does (Rotate, CropBox); annotations are not part of the schedule.
        shown = page.get_displaylist(annots=0)
        text = pymupdf.TextPage(shown.get_textpage(_FLAGS))
    except (RuntimeError, pymupdf.mupdf.FzErrorBase) as error:
        raise Damaged from error
    if any(loss in pymupdf.TOOLS.mupdf_warnings() for loss in _LOSSES):
        raise Damaged
    return _contents(text, Frame(number, shown.rect.width, shown.rect.height, 0), limits)


def _contents(text: Any, frame: Frame, limits: ReadingLimits) -> PageContents:
    words: list[Word] = text.extractWORDS()
    blocks: list[tuple[Any, ...]] = text.extractBLOCKS()
    strokes = [_stroke(block) for block in blocks if block[6] == _VECTOR and "#ffffff" not in block[4]]
    if len(words) > limits.words_per_page_max or len(strokes) > limits.rules_per_page_max:
        raise TooComplex
    turns = text_turns(words)
    if turns == 0:
        return PageContents(words, strokes, frame)
    frame = frame._replace(turns=turns)
    return PageContents(
        [(*frame.upright(word[:4]), *word[4:]) for word in words],
        [Stroke(frame.upright(stroke.rect), stroke.outline) for stroke in strokes],
        frame,
    )


def _stroke(block: tuple[Any, ...]) -> Stroke:
    """PyMuPDF describes a path in words: `<vector stroked, …>` or `<vector filled, …>`."""
    return Stroke(block[:4], "stroked" in block[4])
