"""Watermarks, and a schedule in inverted colours."""

from random import Random
from typing import Any

import pymupdf

from tests.support.documents.variants.editing import drawn_over, with_contents


def watermark(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        grey = rng.uniform(0.7, 0.9)
        page.insert_text(
            (rng.uniform(80, 300), rng.uniform(200, 400)), "Evaluation copy", fontsize=40, color=(grey,) * 3
        )

    return drawn_over(data, draw, rng)


def slanted_watermark(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        at = pymupdf.Point(200, 450)
        turn = pymupdf.Matrix(1, 1).prerotate(rng.choice((30, 45, 60)))
        page.insert_text(at, "NOT FOR SALE 2025", fontsize=rng.choice((12, 50)), color=(0.6,) * 3, morph=(at, turn))

    return drawn_over(data, draw, rng)


def small_watermarks(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, _: Random) -> None:
        for x in range(60, 780, 240):
            for y in range(70, 560, 120):
                page.insert_text((x, y), "printed by u12345678", fontsize=9, color=(0.8,) * 3)

    return drawn_over(data, draw, rng)


def transparent_watermark(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, _: Random) -> None:
        page.insert_text((120, 330), "CONFIDENTIAL", fontsize=70, color=(1, 0, 0), fill_opacity=0.2)

    return drawn_over(data, draw, rng)


def white_on_black(data: bytes, _: Random) -> bytes:
    return with_contents(
        data,
        lambda content: (
            b"0 0 0 rg 0 0 842 596 re f\n"
            + content.replace(b"1 1 1 rg", b"1 1 0.99 rg")
            .replace(b"0 0 0 rg", b"1 1 1 rg")
            .replace(b"0 0 0 RG", b"1 1 1 RG")
        ),
    )
