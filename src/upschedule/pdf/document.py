"""Opening a PDF, or refusing it: everything that can be told before a page is read."""

import re
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pymupdf

from upschedule.pdf.errors import (
    Damaged,
    EmptyFile,
    NeedsPassword,
    NotAPdf,
    TooComplex,
    TooLarge,
    TooManyPages,
)
from upschedule.pdf.limits import ReadingLimits

#: PyMuPDF's switches and exceptions have no types.
mupdf: Any = pymupdf.mupdf  # pyright: ignore[reportPrivateImportUsage] - its one public name
mupdf_tools: Any = pymupdf.TOOLS
# MuPDF writes its complaints to standard error and standard output otherwise.
mupdf_tools.mupdf_display_errors(on=False)
mupdf_tools.mupdf_display_warnings(on=False)

#: Readers accept a few bytes of rubbish before the header.
_HEADER_WITHIN = 1024
_ZLIB = b"\x78"
_END = b"%%EOF"
#: What only stands inside a PDF's body: after the last end mark, it is the start of an update that was cut off.
_BODY = re.compile(rb"\bobj\b|\bxref\b|\btrailer\b")


@contextmanager
def open_document(data: bytes, *, limits: ReadingLimits) -> Generator[Any]:
    """A whole, readable PDF of a bearable size; its pages are counted and none of them is read.

    The value is a `pymupdf.Document`, which has no types. Raises a subclass of `UnreadableDocument` (R1.4, R11.3).
    """
    _check_bytes(data, limits)
    try:
        document: Any = pymupdf.open(stream=data, filetype="pdf")
    except (pymupdf.FileDataError, mupdf.FzErrorBase) as error:
        raise Damaged from error
    try:
        _check_structure(document, data, limits)
        yield document
    finally:
        document.close()


def _check_bytes(data: bytes, limits: ReadingLimits) -> None:
    if not data:
        raise EmptyFile
    if len(data) > limits.size_bytes_max:
        raise TooLarge
    if b"%PDF-" not in data[:_HEADER_WITHIN]:
        raise NotAPdf


def _check_structure(document: Any, data: bytes, limits: ReadingLimits) -> None:
    # An empty user password has already been tried by then.
    if document.needs_pass:
        raise NeedsPassword
    end = data.rfind(_END)
    # MuPDF repairs a file whose end is missing, silently and with pages lost.
    if document.is_repaired or end < 0 or _BODY.search(data, end):
        raise Damaged
    try:
        count: int = document.page_count
    except (RuntimeError, mupdf.FzErrorBase) as error:
        raise Damaged from error
    if count == 0:
        raise Damaged
    if count > limits.pages_max:
        raise TooManyPages


def check_content(document: Any, page: Any, limits: ReadingLimits) -> None:
    """Refuse a page whose content is not whole, or unpacks to far more than a table needs.

    Raises `Damaged` or `TooComplex`. MuPDF shows what it can of a broken stream and ignores its checksum. What is
    packed twice, or drawn again and again, is left to the limits of the process.
    """
    room = limits.content_bytes_per_page_max
    for xref in page.get_contents():
        packed: bytes = document.xref_stream_raw(xref) or b""
        room -= _unpacked_size(packed, room) if packed.startswith(_ZLIB) else len(packed)
        if room < 0:
            raise TooComplex


def _unpacked_size(packed: bytes, limit: int) -> int:
    unpacker = zlib.decompressobj()
    try:
        size = len(unpacker.decompress(packed, limit + 1))
    except zlib.error as error:
        raise Damaged from error
    if size <= limit and not unpacker.eof:
        raise Damaged
    return size
