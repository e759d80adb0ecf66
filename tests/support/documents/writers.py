"""Pages to PDF bytes, by several producers."""

import io
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

import reportlab
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.support.documents.flow import PAGE_HEIGHT, PAGE_WIDTH, Fonts, Page

HELVETICA = Fonts()
VERA = Fonts("Vera", "VeraBd")


def register_fonts() -> None:
    """Make the TrueType fonts that come with reportlab known to it; they are embedded as subsets."""
    folder = Path(reportlab.__file__).parent / "fonts"
    for name in (VERA.regular, VERA.bold):
        pdfmetrics.registerFont(TTFont(name, folder / f"{name}.ttf"))


def portal(pages: Sequence[Page], rng: Random) -> bytes:
    """Writes like Oracle Analytics Publisher: text, then rules as filled rectangles in any order; no fonts inside."""
    contents = [zlib.compress(_portal_content(page, rng)) for page in pages]
    kids = " ".join(f"{5 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode(),
        _font("Helvetica-Bold"),
        _font("Helvetica"),
    ]
    for index, content in enumerate(contents):
        box = f"[0 0 {PAGE_WIDTH} {PAGE_HEIGHT}]"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /CropBox {box} /Rotate 0 /Contents {6 + 2 * index} 0 R "
            f"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>".encode(),
            f"<< /Length {len(content)} /Filter /FlateDecode >>\nstream\n".encode() + content + b"\nendstream",
        ]
    return assemble(objects)


def _font(name: str) -> bytes:
    return f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()


def _portal_content(page: Page, rng: Random) -> bytes:
    lines = ["0 0 0 RG 0 0 0 rg", "BT"]
    for text in page.texts:
        colour = "1 1 1" if text.white else "0 0 0"
        escaped = text.text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        lines.append(f"{colour} rg /F{1 if text.bold else 2} {text.size} Tf 1 0 0 1 {text.x:.3f} {text.y:.3f} Tm")
        lines.append(f"({escaped})Tj")
    lines += ["ET", "0 0 0 rg"]
    rules = [f"{left:.3f} {bottom:.3f} {width:.3f} {height:.3f} re f" for left, bottom, width, height in page.rules]
    rng.shuffle(rules)
    return "\n".join(lines + rules).encode("cp1252")


def assemble(objects: Sequence[bytes], *, trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first one is the catalogue."""
    body = io.BytesIO()
    body.write(b"%PDF-1.6\n%\xe2\xe3\xcf\xd3\n")
    offsets: list[int] = []
    for number, content in enumerate(objects, 1):
        offsets.append(body.tell())
        body.write(b"%d 0 obj\n%b\nendobj\n" % (number, content))
    start = body.tell()
    body.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    body.writelines(b"%010d 00000 n \n" % offset for offset in offsets)
    body.write(b"trailer\n<< /Size %d /Root 1 0 R %b>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start))
    return body.getvalue()


def driver(pages: Sequence[Page], fonts: Fonts, strokes: str) -> bytes:
    """Writes like a print driver: rules first, stroked as `lines`, as one `path` or as a `box` around each cell."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(PAGE_WIDTH, PAGE_HEIGHT), pageCompression=1)
    for page in pages:
        canvas.setLineWidth(0.5)
        _stroke(canvas, page, strokes)
        for text in page.texts:
            canvas.setFillGray(1 if text.white else 0)
            canvas.setFont(fonts.bold if text.bold else fonts.regular, text.size)
            canvas.drawString(text.x, text.y, text.text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _stroke(canvas: Canvas, page: Page, strokes: str) -> None:
    upright = sorted({rule[0] + rule[2] / 2 for rule in page.rules if rule[2] < rule[3]})
    level = sorted({rule[1] + rule[3] / 2 for rule in page.rules if rule[2] > rule[3]})
    if strokes == "box":
        for left, right in pairwise(upright):
            for bottom, top in pairwise(level):
                canvas.rect(left, bottom, right - left, top - bottom)
        return
    lines = [(x, level[0], x, level[-1]) for x in upright] + [(upright[0], y, upright[-1], y) for y in level]
    if strokes == "lines":
        for line in lines:
            canvas.line(*line)
        return
    path = canvas.beginPath()
    for x0, y0, x1, y1 in lines:
        path.moveTo(x0, y0)
        path.lineTo(x1, y1)
    canvas.drawPath(path)
