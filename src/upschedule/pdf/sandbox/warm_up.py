"""Loads everything that reading needs before the lock-down, since nothing can be opened after it."""

import codecs
from functools import cache
from typing import Any

import pymupdf

from upschedule.pdf import reader
from upschedule.pdf.errors import UnreadableDocument
from upschedule.pdf.limits import ReadingLimits

_CODECS = ("ascii", "latin-1", "raw_unicode_escape", "utf-16", "utf-16-be", "utf-16-le")
_LEFT, _TOP, _COLUMN, _ROW = 30.0, 60.0, 70.0, 20.0


def warm_up(limits: ReadingLimits) -> None:
    """Read a page with text and rules, so that what the reader loads late is loaded. It need not be a schedule.

    The zygote does so before it forks, and each child again before it has a document.
    """
    for codec in _CODECS:
        codecs.lookup(codec)
    try:
        reader.read(_page(), limits=limits, progress=lambda _done, _total: None)
    except UnreadableDocument:
        return


@cache
def _page() -> bytes:
    document: Any = pymupdf.open()
    page = document.new_page()
    for column in range(3):
        left = _LEFT + column * _COLUMN
        for row in range(3):
            top = _TOP + row * _ROW
            page.draw_rect(pymupdf.Rect(left, top, left + _COLUMN, top + _ROW))
            page.insert_text((left + 2, top + 12), "08:30", fontsize=8)
    return document.tobytes()
