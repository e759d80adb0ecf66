"""Draws the part of a page that shows one entry, as a PNG. It runs in the sandbox only, as the reader does."""

from typing import Any

import pymupdf

from upschedule.pdf.document import library_errors, open_document
from upschedule.pdf.errors import Incomplete
from upschedule.pdf.limits import ReadingLimits
from upschedule.timetable.event import Box

#: Points above and below the entry, so that its neighbours can be recognised.
_AROUND = 14.0
#: A taller entry is cut off: it would be a page and not a row.
_HEIGHT_MAX = 260.0
_WIDTH_PIXELS_MAX = 1700
_PIXELS_A_POINT = 2.0
_FRAME = (0xC2, 0x41, 0x0C)
_FRAME_PIXELS = 2


def paint(data: bytes, box: Box, *, limits: ReadingLimits) -> bytes:
    """The whole width of the page at the height of `box`, with a frame around the box.

    Raises a subclass of `UnreadableDocument`.
    """
    with open_document(data, limits=limits) as opened, library_errors():
        document = opened.document
        if not 1 <= box.page <= document.page_count:
            raise Incomplete(f"This document has no page {box.page}.")
        page = document[box.page - 1]
        whole: Any = page.rect
        bottom = min(box.bottom, box.top + _HEIGHT_MAX)
        clip = pymupdf.Rect(whole.x0, box.top - _AROUND, whole.x1, bottom + _AROUND) & whole
        if clip.is_empty:
            raise Incomplete(f"Page {box.page} ends above this entry.")
        scale = min(_PIXELS_A_POINT, _WIDTH_PIXELS_MAX / clip.width)
        pixels: Any = page.get_pixmap(
            matrix=pymupdf.Matrix(scale, scale), clip=clip, colorspace=pymupdf.csRGB, alpha=False, annots=False
        )
        _draw_frame(pixels, (box.left, box.top, box.right, bottom), scale)
        return pixels.tobytes("png")


def _draw_frame(pixels: Any, rect: tuple[float, float, float, float], scale: float) -> None:
    left, top, right, bottom = (round(side * scale) for side in rect)
    thick = _FRAME_PIXELS
    left, top, right, bottom = left - 2 * thick, top - thick, right + 2 * thick, bottom + thick
    for side in (
        (left, top, right, top + thick),
        (left, bottom - thick, right, bottom),
        (left, top, left + thick, bottom),
        (right - thick, top, right, bottom),
    ):
        pixels.set_rect(pymupdf.IRect(*side), _FRAME)
