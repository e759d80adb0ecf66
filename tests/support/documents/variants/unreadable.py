"""Schedules whose text or lines no reader can find."""

import re
from random import Random

import pikepdf
import pymupdf

from tests.support.documents.variants.editing import A4, edited, with_contents, words_of


def outlines(data: bytes, _: Random) -> bytes:
    """Letters as shapes."""
    with pymupdf.open(stream=data) as source, pymupdf.open() as target:
        for page in source:
            drawing = page.get_svg_image(text_as_path=True).encode()
            with pymupdf.open(stream=drawing, filetype="svg") as svg:
                target.insert_pdf(pymupdf.open(stream=svg.convert_to_pdf(), filetype="pdf"))
        return target.tobytes(deflate=True)


def scan_with_text(data: bytes, _: Random) -> bytes:
    """Pictures of the pages with an invisible layer of recognised text."""
    with pymupdf.open(stream=data) as source, pymupdf.open() as target:
        for page in source:
            sheet = target.new_page(width=A4[0], height=A4[1])
            sheet.insert_image(sheet.rect, pixmap=page.get_pixmap(dpi=60))
            for left, _top, _right, bottom, text in words_of(page):
                sheet.insert_text((left, bottom - 3), text, fontsize=9, render_mode=3)
        return target.tobytes(deflate=True)


def letters_without_meaning(data: bytes, _: Random) -> bytes:
    """A font whose letters have names and no map: what they are only a person sees."""

    def change(pdf: pikepdf.Pdf) -> None:
        glyph = pdf.make_stream(b"600 0 0 0 500 700 d1 0 0 500 700 re f")
        letters = "bcdfghjkmnpqrtvw"
        names = [pikepdf.Name(f"/{letters[code // 16]}x{letters[code % 16]}y") for code in range(256)]
        font = pdf.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Font,
                Subtype=pikepdf.Name.Type3,
                FontBBox=[0, 0, 600, 700],
                FontMatrix=[0.001, 0, 0, 0.001, 0, 0],
                FirstChar=0,
                LastChar=255,
                Widths=[500] * 256,
                CharProcs=pikepdf.Dictionary({str(name): glyph for name in names}),
                Encoding=pikepdf.Dictionary(Type=pikepdf.Name.Encoding, Differences=[0, *names]),
            )
        )
        for page in pdf.pages:
            for name in list(page.Resources.Font.keys()):
                page.Resources.Font[name] = font

    # The codes are those of no known encoding.
    return with_contents(edited(data, change), lambda content: re.sub(rb"\(([^\n]*)\) ?Tj", _shifted, content))


def _shifted(found: re.Match[bytes]) -> bytes:
    return b"<%b> Tj" % bytes(code if code == 0x20 else 0x20 + (code * 7) % 0x5F for code in found[1]).hex().encode()


def rules_as_pictures(data: bytes, _: Random) -> bytes:
    """The table's lines are pictures."""
    with pymupdf.open(stream=data) as source, pymupdf.open() as target:
        black = pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 2, 2))
        black.clear_with(0)
        for page in source:
            sheet = target.new_page(width=A4[0], height=A4[1])
            for drawing in page.get_drawings():
                sheet.insert_image(drawing["rect"], pixmap=black, keep_proportion=False)
            for left, _top, _right, bottom, text in words_of(page):
                sheet.insert_text((left, bottom - 3), text, fontsize=8)
        return target.tobytes(deflate=True)
