"""One page: its words and the rules between them, from one run of the page."""

from typing import Any, NamedTuple

import pymupdf

from upschedule.pdf.document import mupdf, mupdf_tools
from upschedule.pdf.errors import Damaged, TooComplex
from upschedule.pdf.frame import Frame, Turns, Word, text_turns
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.rules import Stroke

_constants: Any = pymupdf
_FLAGS: int = _constants.TEXTFLAGS_WORDS | _constants.TEXT_COLLECT_VECTORS
_VECTOR = 3
#: What MuPDF reports when it goes on after losing a part of the page.
_LOSSES = ("syntax error", "zlib error", "premature end")


class PageContents(NamedTuple):
    """What stands on a page, with its text upright. `pictured`: a picture and no words."""

    words: list[Word]
    strokes: list[Stroke]
    frame: Frame
    pictured: bool = False


def read_page(document: Any, number: int, *, limits: ReadingLimits, turns: Turns = 0) -> PageContents:
    """Page `number`, counted from 1; `turns` are those of the page before. Raises `TooComplex` or `Damaged`."""
    try:
        return _read(document, number, limits, turns)
    except mupdf.FzErrorSystem as error:
        # No file is open here: it is memory that ran out.
        raise TooComplex from error
    except (RuntimeError, ValueError, mupdf.FzErrorBase) as error:
        raise Damaged from error


def _read(document: Any, number: int, limits: ReadingLimits, turns: Turns) -> PageContents:
    page = document[number - 1]
    mupdf_tools.reset_mupdf_warnings()
    # A display list turns the page as its viewer does (Rotate, CropBox); annotations are not part of the schedule.
    shown = page.get_displaylist(annots=0)
    text = pymupdf.TextPage(shown.get_textpage(_FLAGS))
    warnings = mupdf_tools.mupdf_warnings()
    if any(loss in warnings for loss in _LOSSES):
        raise Damaged
    extent = shown.rect
    contents = _contents(text, Frame(number, extent.width, extent.height, turns), limits)
    return contents if contents.words else contents._replace(pictured=bool(page.get_images()))


def _contents(text: Any, frame: Frame, limits: ReadingLimits) -> PageContents:
    words: list[Word] = text.extractWORDS()
    blocks: list[tuple[Any, ...]] = text.extractBLOCKS()
    # PyMuPDF describes a path in words: `<vector stroked, color: …>` or `<vector filled, …>`.
    strokes = [
        Stroke(block[:4], "stroked" in block[4])
        for block in blocks
        if block[6] == _VECTOR and "#ffffff" not in block[4]
    ]
    if len(words) > limits.words_per_page_max or len(strokes) > limits.rules_per_page_max:
        raise TooComplex
    frame = frame._replace(turns=text_turns(words, frame.turns))
    if frame.turns == 0:
        return PageContents(words, strokes, frame)
    return PageContents(
        [(*frame.upright(word[:4]), *word[4:]) for word in words],
        [Stroke(frame.upright(stroke.rect), stroke.outline) for stroke in strokes],
        frame,
    )
