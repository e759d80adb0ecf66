"""What people and programs do to a schedule between the portal and the upload, one function a kind.

Each takes a schedule as the portal prints it. `SAME` must be read exactly, `SAFE` has lost or displaced something: it
is refused, or warned of without an event that the original does not have. `REFUSED` cannot be read at all.
"""

import io
import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pikepdf
import pymupdf

from tests.support.documents import transforms

Variant = Callable[[bytes, Random], bytes]
A4 = (841.9, 595.3)
A4_PORTRAIT = (595.3, 841.9)
_END = b"%%EOF"


def _edited(data: bytes, edit: Callable[[pikepdf.Pdf], None]) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        edit(pdf)
        pdf.save(out, compress_streams=True)
    return out.getvalue()


def _with_contents(data: bytes, edit: Callable[[bytes], bytes]) -> bytes:
    """Each page's content stream changed in place, so that it stays one stream."""

    def change(pdf: pikepdf.Pdf) -> None:
        for page in pdf.pages:
            content = page.Contents
            content.write(edit(bytes(content.read_bytes())))

    return _edited(data, change)


def drawn_over(data: bytes, draw: Callable[[Any, Random], None], rng: Random) -> bytes:
    """Something drawn over each page by another program, which adds a stream of its own."""
    with pymupdf.open(stream=data) as document:
        for page in document:
            draw(page, rng)
        return document.tobytes(deflate=True)


# -- the page tree


def count_too_small(data: bytes, _: Random) -> bytes:
    return _with_count(data, lambda count: max(1, count - 1))


def count_too_large(data: bytes, _: Random) -> bytes:
    return _with_count(data, lambda count: count + 3)


def _with_count(data: bytes, wrong: Callable[[int], int]) -> bytes:
    found = re.search(rb"/Count (\d+)", data)
    assert found
    number = wrong(int(found[1]))
    text = b"/Count %d" % number
    # Offsets of the cross-reference table stay right as long as the text is no longer than before.
    padded = text.ljust(len(found[0])) if len(text) <= len(found[0]) else text
    return data.replace(found[0], padded, 1) if len(padded) == len(found[0]) else _rebuilt_count(data, number)


def _rebuilt_count(data: bytes, number: int) -> bytes:
    with pymupdf.open(stream=data) as document:
        root = int(document.xref_get_key(document.pdf_catalog(), "Pages")[1].split()[0])
        document.xref_set_key(root, "Count", str(number))
        return document.tobytes()


def kids_apart(data: bytes, _: Random) -> bytes:
    """The list of pages is an object of its own."""

    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.Pages.Kids = pdf.make_indirect(pdf.Root.Pages.Kids)

    return _edited(data, change)


# -- several pages on a sheet


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


# -- forms of characters, by a font's map to Unicode


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

    return _edited(data, change)


def soft_hyphens(data: bytes, _: Random) -> bytes:
    return _mapped(data, {0x2D: "\u00ad"})


def other_hyphens(data: bytes, rng: Random) -> bytes:
    return _mapped(data, {0x2D: rng.choice("\u2010\u2011\u2012\u2013\u2212")})


def other_spaces(data: bytes, rng: Random) -> bytes:
    return _mapped(data, {0x20: rng.choice("\u202f\u2009\u00a0\u2007\u3000")})


def ligatures(data: bytes, _: Random) -> bytes:
    """Each `fi`, `fl` and `ff` as one glyph."""
    mapped = _mapped(data, {0x80: "\ufb00", 0x81: "\ufb01", 0x82: "\ufb02"})
    return _with_contents(
        mapped, lambda content: content.replace(b"ff", b"\x80").replace(b"fi", b"\x81").replace(b"fl", b"\x82")
    )


def wrong_actual_text(data: bytes, _: Random) -> bytes:
    """`/ActualText` that says something else than what is printed."""
    return _with_contents(
        data,
        lambda content: re.sub(
            rb"(\([^\n]*\) ?Tj)", rb"/Span << /ActualText (XYZ 999) >> BDC \1 EMC", content, count=40
        ),
    )


# -- the same text twice


def bold_by_printing_twice(data: bytes, _: Random) -> bytes:
    return _with_contents(data, lambda content: content + b"\nq 1 0 0 1 0.3 0 cm\n" + content + b"\nQ")


def bold_word_by_word(data: bytes, _: Random) -> bytes:
    """Each text is printed again at once, a little to the right."""
    return _with_contents(
        data,
        lambda content: re.sub(
            rb"(1 0 0 1 )([\d.]+)( [\d.]+ Tm)\n?\s*(\([^\n]*\) ?Tj)",
            lambda found: (
                b"%b%b%b %b %b%.3f%b %b"
                % (found[1], found[2], found[3], found[4], found[1], float(found[2]) + 0.3, found[3], found[4])
            ),
            content,
        ),
    )


def invisible_layer(data: bytes, _: Random) -> bytes:
    """A layer of recognised text over the real one, slightly displaced and with errors."""
    return _with_contents(
        data,
        lambda content: (
            content
            + b"\nq 3 Tr 0.997 0 0 0.997 1.3 -0.9 cm\n"
            + re.sub(rb"[\d.]+ [\d.]+ [\d.]+ rg", b"", content.split(b"\nET")[0]).replace(b"0)", b"O)")
            + b"\nET\nQ"
        ),
    )


# -- marks of a student, watermarks


def box_round_rows(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        top = rng.uniform(90, 400)
        page.draw_rect((rng.uniform(20, 34), top, 815, top + rng.uniform(15, 80)), color=(1, 0, 0), width=1.5)

    return drawn_over(data, draw, rng)


def box_round_a_cell(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        left, top = rng.uniform(40, 500), rng.uniform(80, 400)
        page.draw_rect((left, top, left + 70, top + 14), color=rng.choice([(1, 0, 0), (0, 0, 0)]), width=1)

    return drawn_over(data, draw, rng)


def tick(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        x, y = rng.uniform(50, 600), rng.uniform(80, 500)
        page.draw_polyline([(x, y), (x + 3, y + 4), (x + 9, y - 6)], color=(0, 0.5, 0), width=1.5)

    return drawn_over(data, draw, rng)


def arrow(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        x, y = rng.uniform(100, 600), rng.uniform(120, 480)
        page.draw_line((x, y), (x + 80, y), color=(0, 0, 1), width=1)
        page.draw_polyline([(x + 74, y - 4), (x + 80, y), (x + 74, y + 4)], color=(0, 0, 1), width=1)

    return drawn_over(data, draw, rng)


def scribble(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        y = rng.uniform(120, 480)
        points = [(60 + 15 * step, y + rng.uniform(-12, 12)) for step in range(30)]
        page.draw_polyline(points, color=(0, 0, 1), width=1.5)

    return drawn_over(data, draw, rng)


def line_through_a_row(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        y = _words(page, rng)
        page.draw_line((rng.uniform(30, 44), y), (800, y), color=rng.choice([(1, 0, 0), (0, 0, 0)]), width=1)

    return drawn_over(data, draw, rng)


def line_under_words(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        y = _words(page, rng) + 5.5
        page.draw_line((rng.uniform(45, 60), y), (rng.uniform(420, 600), y), color=(1, 0, 0), width=0.8)

    return drawn_over(data, draw, rng)


def line_exactly_across(data: bytes, rng: Random) -> bytes:
    """From border to border, as thick and black as a rule, through the middle of a line of text."""

    def draw(page: Any, rng: Random) -> None:
        rules = [drawing["rect"] for drawing in page.get_drawings() if drawing["rect"].width > 400]
        y = _words(page, rng)
        if rules and all(abs(rule.y0 - y) > 3 for rule in rules):
            page.draw_rect((rules[0].x0, y - 0.25, rules[0].x1, y + 0.25), color=None, fill=(0, 0, 0))

    return drawn_over(data, draw, rng)


def _words(page: Any, rng: Random) -> float:
    """The middle of some word's letters in the table."""
    words = [word for word in page.get_text("words") if word[1] > 75] or [(0, 300, 0, 310)]
    word = rng.choice(words)
    return (word[1] + word[3]) / 2


def note(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        at = (rng.uniform(100, 600), rng.uniform(100, 500))
        page.insert_text(at, rng.choice(("ask Thabo", "room changed?", "Hello!")), fontsize=10, color=(0, 0, 1))

    return drawn_over(data, draw, rng)


def highlighter(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        top = rng.uniform(90, 400)
        page.draw_rect((36, top, 640, top + 13), color=None, fill=(1, 1, 0), fill_opacity=0.4)

    return drawn_over(data, draw, rng)


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
    return _with_contents(
        data,
        lambda content: (
            b"0 0 0 rg 0 0 842 596 re f\n"
            + content.replace(b"1 1 1 rg", b"1 1 0.99 rg")
            .replace(b"0 0 0 rg", b"1 1 1 rg")
            .replace(b"0 0 0 RG", b"1 1 1 RG")
        ),
    )


# -- the file around the pages


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
    """As a browser prints them into the margins."""

    def draw(page: Any, _: Random) -> None:
        page.insert_text((24, 18), "11/24/26, 3:53 PM", fontsize=8)
        page.insert_text((400, 18), "My schedule", fontsize=8)
        page.insert_text((24, 588), "https://portal.example/schedule.html", fontsize=8)
        page.insert_text((790, 588), f"{page.number + 1}/{page.parent.page_count}", fontsize=8)

    return drawn_over(data, draw, rng)


def small_paper(data: bytes, rng: Random) -> bytes:
    return transforms.fit(data, rng.choice(((595.3, 419.5), (419.5, 297.6), (1190.5, 841.9))))


# -- what is lost or displaced


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

    return _edited(data, change)


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
            page.apply_redactions(graphics=_REMOVE_COVERED_LINES)
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


# -- what cannot be read


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
            for left, _, _, bottom, text in words_of(page):
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
    return _with_contents(_edited(data, change), lambda content: re.sub(rb"\(([^\n]*)\) ?Tj", _shifted, content))


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
            for left, _, _, bottom, text in words_of(page):
                sheet.insert_text((left, bottom - 3), text, fontsize=8)
        return target.tobytes(deflate=True)


SAME: dict[str, Variant] = {
    variant.__name__: variant
    for variant in (
        count_too_small,
        count_too_large,
        kids_apart,
        two_on_a_sheet,
        two_side_by_side,
        four_on_a_sheet,
        one_long_page,
        soft_hyphens,
        other_hyphens,
        other_spaces,
        ligatures,
        wrong_actual_text,
        bold_by_printing_twice,
        bold_word_by_word,
        invisible_layer,
        box_round_rows,
        box_round_a_cell,
        tick,
        arrow,
        scribble,
        line_through_a_row,
        line_under_words,
        line_exactly_across,
        note,
        highlighter,
        watermark,
        slanted_watermark,
        small_watermarks,
        transparent_watermark,
        white_on_black,
        something_after_the_end,
        checksum_cut,
        cover_sheet,
        headers_and_footers,
        small_paper,
    )
}
SAFE: dict[str, Variant] = {
    variant.__name__: variant
    for variant in (
        cut_below,
        cut_at_the_right,
        cut_at_the_left,
        actual_size_on_small_paper,
        clipped,
        truly_cut,
        swapped,
        reversed_pages,
        printed_twice,
        middle_page_missing,
        first_page_missing,
    )
}
REFUSED: dict[str, tuple[Variant, str]] = {
    "outlines": (outlines, "pdf-outlined-text"),
    "scan_with_text": (scan_with_text, "pdf-recognised-text"),
    "letters_without_meaning": (letters_without_meaning, "pdf-unmapped-text"),
    "rules_as_pictures": (rules_as_pictures, "pdf-no-table-lines"),
}
