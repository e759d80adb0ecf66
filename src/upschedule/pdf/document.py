"""Opens a PDF, or refuses it for reasons that can be found before any page is read."""

import re
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import pymupdf

from upschedule.pdf.errors import (
    Damaged,
    EmptyFile,
    NeedsPassword,
    NotAPdf,
    TooComplex,
    TooLarge,
    TooManyPages,
    UnreadableDocument,
)
from upschedule.pdf.forms import Draws, Forms, draws
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.plain import is_plain

#: PyMuPDF's switches and exceptions have no types.
mupdf: Any = pymupdf.mupdf  # pyright: ignore[reportPrivateImportUsage] - its one public name
mupdf_tools: Any = pymupdf.TOOLS
# MuPDF writes its complaints to standard error and standard output otherwise.
mupdf_tools.mupdf_display_errors(on=False)
mupdf_tools.mupdf_display_warnings(on=False)

#: Readers accept a few bytes of rubbish before the header.
_HEADER_WITHIN = 1024
_ZLIB = b"\x78"
_ZLIB_HEADER_BYTES = 2
#: `/Filter` of a stream that is not packed, or only once and by zlib, as PyMuPDF writes it.
_ZLIB_ONLY = frozenset({"null", "/FlateDecode", "[/FlateDecode]"})
_END = b"%%EOF"
#: Markers that occur only inside a PDF's body: after the last end mark, they start an update that was cut off.
_BODY = re.compile(rb"\bobj\b|\bxref\b|\btrailer\b")
_OBJECTS_MAX = 5_000
_REFERENCE = re.compile(r"(\d+) \d+ R")


class Opened(NamedTuple):
    """An open PDF: a `pymupdf.Document`, which has no types, and the pages that can only show plain text and lines."""

    document: Any
    plain_pages: frozenset[int]


@contextmanager
def open_document(data: bytes, *, limits: ReadingLimits) -> Generator[Opened]:
    """A whole, readable PDF of a bearable size; its pages and their content are counted, and no page is interpreted.

    Raises a subclass of `UnreadableDocument` (R1.4, R11.3).
    """
    _check_bytes(data, limits)
    end = data.rfind(_END)
    # MuPDF repairs a file whose end is missing, silently and with pages lost.
    if end < 0 or _BODY.search(data, end):
        raise Damaged
    with library_errors():
        # What is appended to a file, by a mail server or a web page, hides its end from MuPDF.
        document: Any = pymupdf.open(stream=data[: end + len(_END)], filetype="pdf")
    try:
        with library_errors():
            _check_structure(document, limits)
            plain_pages = _check_contents(document, limits.content_bytes_max)
        yield Opened(document, plain_pages)
    finally:
        document.close()


@contextmanager
def library_errors() -> Generator[None]:
    """Turn what MuPDF and its binding raise for a faulty file into the file's own error: `Damaged` or `TooComplex`."""
    try:
        yield
    except UnreadableDocument:
        raise
    except (mupdf.FzErrorSystem, mupdf.FzErrorLimit, MemoryError, RecursionError) as error:
        # No file is open here: memory ran out, or the objects are nested too deeply.
        raise TooComplex from error
    except Exception as error:
        raise Damaged from error


def _check_bytes(data: bytes, limits: ReadingLimits) -> None:
    if not data:
        raise EmptyFile
    if len(data) > limits.size_bytes_max:
        raise TooLarge
    if b"%PDF-" not in data[:_HEADER_WITHIN]:
        raise NotAPdf


def _check_structure(document: Any, limits: ReadingLimits) -> None:
    # An empty user password has already been tried by then.
    if document.needs_pass:
        raise NeedsPassword
    if document.is_repaired:
        raise Damaged
    count = _count_pages(document, limits.pages_max)
    if count == 0:
        raise Damaged
    if count > limits.pages_max:
        raise TooManyPages


def _count_pages(document: Any, pages_max: int) -> int:
    """The pages that the page tree holds. A viewer goes by the tree's `/Count`, which may be wrong: it is corrected.

    More than `pages_max` are not counted exactly. Raises `Damaged` if the tree is not one.
    """
    count = nodes = 0
    root = _reference(document, document.pdf_catalog(), "Pages")
    waiting = [root]
    while waiting and count <= pages_max:
        node = waiting.pop()
        kind, kids = document.xref_get_key(node, "Kids")
        if kind == "null":
            count += 1
            continue
        if kind == "xref":
            kids = document.xref_object(int(kids.split()[0]), compressed=True)
        nodes += 1
        # A tree has at most as many branches as leaves; one that has more goes in circles, or leads to no page.
        if nodes > 2 * pages_max:
            raise Damaged
        waiting += [int(number) for number in _REFERENCE.findall(kids)]
        if len(waiting) > 3 * pages_max:
            return pages_max + 1
    if count <= pages_max and count != document.page_count:
        document.xref_set_key(root, "Count", str(count))
        if document.page_count != count:
            raise Damaged
    return count


def _reference(document: Any, xref: int, key: str) -> int:
    kind, value = document.xref_get_key(xref, key)
    if kind != "xref":
        raise Damaged
    return int(value.split()[0])


def has_unmapped_font(document: Any) -> bool:
    """Whether the first page has a font of shapes (Type 3) that does not say which letters they are."""
    fonts: list[tuple[Any, ...]] = document.get_page_fonts(0)
    return any(kind == "Type3" and document.xref_get_key(xref, "ToUnicode")[0] == "null" for xref, _, kind, *_ in fonts)


class PageObjects(NamedTuple):
    """The numbers of the file's page objects in the order of its pages, and what tells of pages that were taken out.

    `removed` are pages that the page tree does not hold, `free` are numbers that no object has any more.
    """

    pages: list[int]
    removed: list[int]
    free: list[int]


def page_objects(document: Any) -> PageObjects:
    """The objects of pages, including removed and free ones. A file with too many objects is not searched for these."""
    pages = [document.page_xref(index) for index in range(document.page_count)]
    count: int = document.xref_length()
    if count > _OBJECTS_MAX:
        return PageObjects(pages, [], [])
    known = set(pages)
    removed: list[int] = []
    free: list[int] = []
    for number in range(min(pages), max(pages)):
        if number in known:
            continue
        try:
            if document.xref_get_key(number, "Type")[1] == "/Page":
                removed.append(number)
            elif document.xref_object(number) == "null":
                free.append(number)
        except mupdf.FzErrorBase:
            free.append(number)
    return PageObjects(pages, removed, free)


def _check_contents(document: Any, room: int) -> frozenset[int]:
    """Refuse a document whose content is not whole, or unpacks to far more than its tables need; its plain pages.

    Raises `Damaged` or `TooComplex`. It looks at every page before the first is interpreted, so that refusing costs the
    unpacking of `room` bytes at most. MuPDF shows what it can of a broken stream. A form counts as often as it is
    drawn; what patterns draw is left to the limits of the process.
    """
    contents: dict[int, _Content] = {}
    forms = Forms(document, partial(_form_content, document, limit=room))
    plain: set[int] = set()
    for number, page in enumerate(document, 1):
        streams: list[int] = page.get_contents()
        for xref in streams:
            if xref not in contents:
                contents[xref] = _content(document, xref, room)
            room -= contents[xref].size_bytes
            if room >= 0 and contents[xref].draws:
                room -= forms.size(contents[xref].draws, forms.owner_of(page.xref))
            if room < 0:
                raise TooComplex
        # A tool that adds something to a page adds a stream.
        if len(streams) == 1 and contents[streams[0]].is_plain:
            plain.add(number)
    return frozenset(plain)


class _Content(NamedTuple):
    """One content stream; a size above the limit is a lower bound."""

    size_bytes: int
    is_plain: bool
    draws: Draws


def _content(document: Any, xref: int, limit: int) -> _Content:
    packed: bytes = document.xref_stream_raw(xref) or b""
    content = _unpacked(packed, limit) if packed.startswith(_ZLIB) else packed
    if document.xref_get_key(xref, "Filter")[1] in _ZLIB_ONLY:
        return _Content(len(content), is_plain(content), draws(content))
    stream = mupdf.pdf_open_stream_number(mupdf.pdf_document_from_fz_document(document.this), xref)
    size = max(len(content), mupdf.fz_skip(stream, limit + 1))
    return _Content(size, is_plain=False, draws=draws(document.xref_stream(xref)) if size <= limit else {})


def _form_content(document: Any, xref: int, *, limit: int) -> tuple[int, Draws]:
    content = _content(document, xref, limit)
    return content.size_bytes, content.draws


def _unpacked(packed: bytes, limit: int) -> bytes:
    """The stream's data; its checksum, the last four bytes, may be missing or wrong, its data may not."""
    unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        data = unpacker.decompress(packed[_ZLIB_HEADER_BYTES:], limit + 1)
    except zlib.error as error:
        raise Damaged from error
    if len(data) <= limit and not unpacker.eof:
        raise Damaged
    return data
