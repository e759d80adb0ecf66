"""What the variants share: sizes of pages, and ways to change a document."""

import io
from collections.abc import Callable
from random import Random
from typing import Any

import pikepdf
import pymupdf

Variant = Callable[[bytes, Random], bytes]
A4 = (841.9, 595.3)
A4_PORTRAIT = (595.3, 841.9)


def edited(data: bytes, edit: Callable[[pikepdf.Pdf], None]) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        edit(pdf)
        pdf.save(out, compress_streams=True)
    return out.getvalue()


def with_contents(data: bytes, edit: Callable[[bytes], bytes]) -> bytes:
    """Each page's content stream changed in place, so that it stays one stream."""

    def change(pdf: pikepdf.Pdf) -> None:
        for page in pdf.pages:
            content = page.Contents
            content.write(edit(bytes(content.read_bytes())))

    return edited(data, change)


def drawn_over(data: bytes, draw: Callable[[Any, Random], None], rng: Random) -> bytes:
    """Something drawn over each page by another program, which adds a stream of its own."""
    with pymupdf.open(stream=data) as document:
        for page in document:
            draw(page, rng)
        return document.tobytes(deflate=True)


def words_of(page: Any) -> list[tuple[float, float, float, float, str]]:
    """Left, top, right, bottom and text of each word of the page."""
    return [tuple(word[:5]) for word in page.get_text("words")]
