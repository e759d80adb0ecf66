"""Changes of the file around the pages, and pages or margins that are added."""

from random import Random
from typing import Any

import pymupdf

from tests.support.documents import transforms
from tests.support.documents.variants.editing import A4_PORTRAIT, drawn_over


def something_after_the_end(data: bytes, rng: Random) -> bytes:
    return data + b"\n" + rng.choice((b"\0" * 1500, b"<!-- sent by a web page -->\n" * 80, b"\r\n" * 700))


def checksum_cut(data: bytes, rng: Random) -> bytes:
    """A content stream whose checksum is missing or wrong; its data are whole."""
    start = data.index(b"stream\n", data.index(b"/FlateDecode")) + len(b"stream\n")
    end = data.index(b"\nendstream", start)
    kept = rng.choice((0, 1, 3))
    return data[: end - 4 + kept] + b"\0" * (4 - kept) + data[end:]


def cover_sheet(data: bytes, _: Random) -> bytes:
    with pymupdf.open(stream=data) as source, pymupdf.open() as target:
        cover = target.new_page(width=A4_PORTRAIT[0], height=A4_PORTRAIT[1])
        cover.insert_text((80, 100), "Print job for student", fontsize=20)
        cover.insert_text((80, 140), "Printed on 29 November 2026 at 14:05", fontsize=11)
        target.insert_pdf(source)
        return target.tobytes()


def headers_and_footers(data: bytes, rng: Random) -> bytes:
    """Adds the texts that a browser prints into the margins."""

    def draw(page: Any, _: Random) -> None:
        page.insert_text((24, 18), "11/24/26, 3:53 PM", fontsize=8)
        page.insert_text((400, 18), "My schedule", fontsize=8)
        page.insert_text((24, 588), "https://portal.example/schedule.html", fontsize=8)
        page.insert_text((790, 588), f"{page.number + 1}/{page.parent.page_count}", fontsize=8)

    return drawn_over(data, draw, rng)


def small_paper(data: bytes, rng: Random) -> bytes:
    return transforms.fit(data, rng.choice(((595.3, 419.5), (419.5, 297.6), (1190.5, 841.9))))
