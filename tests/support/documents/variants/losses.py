"""Pages and parts of pages that are lost or displaced."""

from collections.abc import Callable
from random import Random

import pikepdf
import pymupdf

from tests.support.documents.variants.editing import A4, edited


def cut_below(data: bytes, rng: Random) -> bytes:
    return _cropped(data, lambda box: (box[0], box[1] + rng.uniform(90, 300), box[2], box[3]))


def cut_at_the_right(data: bytes, rng: Random) -> bytes:
    return _cropped(data, lambda box: (box[0], box[1], box[2] - rng.uniform(260, 500), box[3]))


def cut_at_the_left(data: bytes, rng: Random) -> bytes:
    return _cropped(data, lambda box: (box[0] + rng.uniform(45, 200), box[1], box[2], box[3]))


def _cropped(data: bytes, cut: Callable[[tuple[float, ...]], tuple[float, ...]]) -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        for page in pdf.pages:
            box = cut(tuple(float(side) for side in page.mediabox))
            page.mediabox = page.cropbox = pikepdf.Rectangle(*box)

    return edited(data, change)


def actual_size_on_small_paper(data: bytes, rng: Random) -> bytes:
    """The page in full size on A5, from one of its corners."""
    width, height = 595.3, 419.5
    left, top = rng.choice((0.0, width - A4[0])), rng.choice((0.0, height - A4[1]))
    with pymupdf.open(stream=data) as source, pymupdf.open() as target:
        for number in range(source.page_count):
            sheet = target.new_page(width=width, height=height)
            sheet.show_pdf_page(pymupdf.Rect(left, top, left + A4[0], top + A4[1]), source, number)
        return target.tobytes(deflate=True)


def clipped(data: bytes, rng: Random) -> bytes:
    """A part of each page on a sheet of its size: what is outside of the part is in the file, and not to be seen."""
    cut = rng.uniform(0.5, 0.8)
    with pymupdf.open(stream=data) as source, pymupdf.open() as target:
        for number in range(source.page_count):
            sheet = target.new_page(width=A4[0], height=A4[1])
            part = pymupdf.Rect(0, 0, A4[0], A4[1] * cut)
            sheet.show_pdf_page(part, source, number, clip=part)
        return target.tobytes(deflate=True)


def truly_cut(data: bytes, rng: Random) -> bytes:
    """What is outside of a smaller page is gone from the file, letters and rules alike."""
    bottom = rng.uniform(300, 480)
    with pymupdf.open(stream=data) as document:
        for page in document:
            page.add_redact_annot((0, bottom, A4[0], A4[1]))
            # Lines that are covered go, too (PDF_REDACT_LINE_ART_REMOVE_IF_COVERED).
            page.apply_redactions(graphics=1)
            page.set_mediabox(pymupdf.Rect(0, A4[1] - bottom, A4[0], A4[1]))
        return document.tobytes(deflate=True)


def _selected(data: bytes, choose: Callable[[list[int]], list[int]]) -> bytes:
    with pymupdf.open(stream=data) as document:
        document.select(choose(list(range(document.page_count))))
        return document.tobytes(garbage=1, deflate=True)


def swapped(data: bytes, rng: Random) -> bytes:
    def choose(pages: list[int]) -> list[int]:
        one = rng.randrange(len(pages) - 1)
        pages[one], pages[one + 1] = pages[one + 1], pages[one]
        return pages

    return _selected(data, choose)


def reversed_pages(data: bytes, _: Random) -> bytes:
    return _selected(data, lambda pages: pages[::-1])


def printed_twice(data: bytes, rng: Random) -> bytes:
    def choose(pages: list[int]) -> list[int]:
        page = rng.randrange(len(pages))
        return [*pages[: page + 1], *pages[page:]]

    return _selected(data, choose)


def middle_page_missing(data: bytes, rng: Random) -> bytes:
    def choose(pages: list[int]) -> list[int]:
        if len(pages) > 2:
            del pages[rng.randrange(1, len(pages) - 1)]
        return pages

    return _selected(data, choose)


def first_page_missing(data: bytes, _: Random) -> bytes:
    return _selected(data, lambda pages: pages[1:] or pages)
