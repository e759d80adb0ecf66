"""Several pages on one sheet."""

from random import Random

import pymupdf

from tests.support.documents.variants.editing import A4, A4_PORTRAIT


def two_on_a_sheet(data: bytes, _: Random) -> bytes:
    return _on_sheets(data, A4_PORTRAIT, 1, 2)


def two_side_by_side(data: bytes, _: Random) -> bytes:
    return _on_sheets(data, (1190.0, 421.0), 2, 1)


def four_on_a_sheet(data: bytes, _: Random) -> bytes:
    return _on_sheets(data, A4, 2, 2)


def one_long_page(data: bytes, _: Random) -> bytes:
    with pymupdf.open(stream=data) as source, pymupdf.open() as target:
        height = A4[1] * source.page_count
        sheet = target.new_page(width=A4[0], height=height)
        for number in range(source.page_count):
            top = number * A4[1]
            sheet.show_pdf_page(pymupdf.Rect(0, top, A4[0], top + A4[1]), source, number)
        return target.tobytes(deflate=True)


def _on_sheets(data: bytes, size: tuple[float, float], across: int, down: int) -> bytes:
    width, height = size[0] / across, size[1] / down
    with pymupdf.open(stream=data) as source, pymupdf.open() as target:
        for number in range(source.page_count):
            place = number % (across * down)
            if place == 0:
                target.new_page(width=size[0], height=size[1])
            left, top = place % across * width, place // across * height
            box = pymupdf.Rect(left + 8, top + 8, left + width - 8, top + height - 8)
            target[-1].show_pdf_page(box, source, number)
        return target.tobytes(deflate=True)
