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
#: `/Filter` of a stream that is not packed, or only once and by zlib, as PyMuPDF writes it.
_ZLIB_ONLY = frozenset({"null", "/FlateDecode", "[/FlateDecode]"})
_END = b"%%EOF"
#: What only stands inside a PDF's body: after the last end mark, it is the start of an update that was cut off.
_BODY = re.compile(rb"\bobj\b|\bxref\b|\btrailer\b")


@contextmanager
def open_document(data: bytes, *, limits: ReadingLimits) -> Generator[Any]:
    """A whole, readable PDF of a bearable size; its pages and their content are counted, and no page is interpreted.

    The value is a `pymupdf.Document`, which has no types. Raises a subclass of `UnreadableDocument` (R1.4, R11.3).
    """
    _check_bytes(data, limits)
    try:
        document: Any = pymupdf.open(stream=data, filetype="pdf")
    except (pymupdf.FileDataError, mupdf.FzErrorBase) as error:
        raise Damaged from error
    try:
        _check_structure(document, data, limits)
        check_content(document, limits)
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


def check_content(document: Any, limits: ReadingLimits) -> None:
    """Refuse a document whose content is not whole, or unpacks to far more than its tables need.

    Raises `Damaged` or `TooComplex`. It looks at every page before the first is interpreted, so that refusing costs the
    unpacking of `content_bytes_max` at most. MuPDF shows what it can of a broken stream and ignores its checksum. What
    a page draws again and again from elsewhere is left to the limits of the process.
    """
    try:
        _check_content(document, limits.content_bytes_max)
    except mupdf.FzErrorSystem as error:
        # No file is open here: it is memory that ran out.
        raise TooComplex from error
    except (RuntimeError, ValueError, mupdf.FzErrorBase) as error:
        raise Damaged from error


def _check_content(document: Any, room: int) -> None:
    sizes: dict[int, int] = {}
    for page in document:
        for xref in page.get_contents():
            if xref not in sizes:
                sizes[xref] = _content_size(document, xref, room)
            room -= sizes[xref]
            if room < 0:
                raise TooComplex


def _content_size(document: Any, xref: int, limit: int) -> int:
    """More than `limit` where it is larger than that: the rest is not unpacked."""
    packed: bytes = document.xref_stream_raw(xref) or b""
    size = _unpacked_size(packed, limit) if packed.startswith(_ZLIB) else len(packed)
    if document.xref_get_key(xref, "Filter")[1] in _ZLIB_ONLY:
        return size
    stream = mupdf.pdf_open_stream_number(mupdf.pdf_document_from_fz_document(document.this), xref)
    return max(size, mupdf.fz_skip(stream, limit + 1))


def _unpacked_size(packed: bytes, limit: int) -> int:
    unpacker = zlib.decompressobj()
    try:
        size = len(unpacker.decompress(packed, limit + 1))
    except zlib.error as error:
        raise Damaged from error
    if size <= limit and not unpacker.eof:
        raise Damaged
    return size
