"""Other characters for the same glyphs, by a font's map to Unicode."""

import re
from collections.abc import Mapping
from random import Random

import pikepdf

from tests.support.documents.variants.editing import edited, with_contents


def _mapped(data: bytes, codes: Mapping[int, str]) -> bytes:
    """The same glyphs, said to be other characters."""
    entries = "\n".join(f"<{code:02X}> <{text.encode('utf-16-be').hex()}>" for code, text in codes.items())
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
        "1 begincodespacerange <00> <FF> endcodespacerange\n"
        f"{len(codes)} beginbfchar\n{entries}\nendbfchar endcmap CMapName currentdict /CMap defineresource pop end end"
    )

    def change(pdf: pikepdf.Pdf) -> None:
        stream = pdf.make_stream(cmap.encode())
        for page in pdf.pages:
            for font in page.Resources.Font.values():
                font.ToUnicode = stream

    return edited(data, change)


def soft_hyphens(data: bytes, _: Random) -> bytes:
    return _mapped(data, {0x2D: "\u00ad"})


def other_hyphens(data: bytes, rng: Random) -> bytes:
    return _mapped(data, {0x2D: rng.choice("\u2010\u2011\u2012\u2013\u2212")})


def other_spaces(data: bytes, rng: Random) -> bytes:
    return _mapped(data, {0x20: rng.choice("\u202f\u2009\u00a0\u2007\u3000")})


def ligatures(data: bytes, _: Random) -> bytes:
    """Each `fi`, `fl` and `ff` as one glyph."""
    mapped = _mapped(data, {0x80: "\ufb00", 0x81: "\ufb01", 0x82: "\ufb02"})
    return with_contents(
        mapped, lambda content: content.replace(b"ff", b"\x80").replace(b"fi", b"\x81").replace(b"fl", b"\x82")
    )


def wrong_actual_text(data: bytes, _: Random) -> bytes:
    """`/ActualText` that says something else than what is printed."""
    return with_contents(
        data,
        lambda content: re.sub(
            rb"(\([^\n]*\) ?Tj)", rb"/Span << /ActualText (XYZ 999) >> BDC \1 EMC", content, count=40
        ),
    )
