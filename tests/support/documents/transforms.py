"""What happens to a PDF between the portal and the upload; none of it changes what the schedule says."""

import io
from collections.abc import Sequence
from typing import Any, Literal

import pikepdf
import pymupdf
import pypdfium2

LETTER = (792.0, 612.0)
A4_PORTRAIT = (595.3, 841.9)


def encrypt(data: bytes, *, user: str = "", revision: Literal[4, 6] = 4) -> bytes:
    """AES, copying forbidden; an empty user password opens it. Revision 4 is AES-128, 6 is AES-256."""
    allowed = pikepdf.Permissions(extract=False, modify_other=False)
    return _save(data, encryption=pikepdf.Encryption(owner="owner", user=user, R=revision, allow=allowed))


def linearise(data: bytes) -> bytes:
    return _save(data, linearize=True)


def with_object_streams(data: bytes) -> bytes:
    return _save(data, object_stream_mode=pikepdf.ObjectStreamMode.generate)


def _save(data: bytes, **options: Any) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        pdf.save(out, **options)
    return out.getvalue()


def resave_by_pdfium(data: bytes) -> bytes:
    """Saves the document again like a Chromium browser."""
    out = io.BytesIO()
    document = pypdfium2.PdfDocument(data)
    document.save(out, version=17)
    document.close()
    return out.getvalue()


def resave_by_mupdf(data: bytes) -> bytes:
    with pymupdf.open(stream=data) as document:
        return document.tobytes(garbage=4, deflate=True, clean=True)


def fit(data: bytes, size: tuple[float, float], *, turn: int = 0) -> bytes:
    """Each page drawn as a form on a new sheet, scaled to fit and turned clockwise by `turn` degrees."""
    with pymupdf.open(stream=data) as source, pymupdf.open() as target:
        for number in range(source.page_count):
            sheet = target.new_page(width=size[0], height=size[1])
            sheet.show_pdf_page(sheet.rect, source, number, rotate=turn)
        return target.tobytes(deflate=True)


def with_rotate(data: bytes, turn: int) -> bytes:
    """Set each page's Rotate: a viewer then shows it turned clockwise."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        for page in pdf.pages:
            page.rotate(turn, relative=True)
        pdf.save(out)
    return out.getvalue()


def with_crop_box(data: bytes) -> bytes:
    """Cut 20 points off each margin, as a viewer's crop does."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        for page in pdf.pages:
            left, bottom, right, top = (float(side) for side in page.mediabox)
            page.cropbox = pikepdf.Rectangle(left + 20, bottom + 20, right - 20, top - 20)
        pdf.save(out)
    return out.getvalue()


def merge(parts: Sequence[bytes]) -> bytes:
    out = io.BytesIO()
    with pikepdf.new() as merged:
        for part in parts:
            with pikepdf.open(io.BytesIO(part)) as pdf:
                merged.pages.extend(pdf.pages)
        merged.save(out)
    return out.getvalue()


def without_first_pages(data: bytes, count: int) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        del pdf.pages[:count]
        pdf.save(out)
    return out.getvalue()
