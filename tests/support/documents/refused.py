"""Files that must be refused, each for a cause of its own."""

import io
import zlib
from random import Random

from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tests.support.documents import transforms, writers
from tests.support.documents.flow import PAGE_HEIGHT, PAGE_WIDTH, Flow
from tests.support.documents.generate import print_by_portal
from tests.support.documents.schedules import EXAMS, LECTURES, ROWS, TESTS, Kind
from tests.support.documents.writers import HELVETICA, assemble

OTHER_UNIVERSITY = Kind(
    title="Personal Timetable 2025",
    headers=("Course", "Type", "Weekday", "From", "To", "Room", "Lecturer"),
    borders=(36, 120, 180, 260, 320, 380, 500, 640),
    size=10,
    leading=11.56,
    cuts_rows=False,
    blank_last_line=False,
)


def schedule(kind: Kind = LECTURES, *, rows: int = 20, seed: int = 1) -> bytes:
    """A right schedule by the portal's producer."""
    rng = Random(seed)  # noqa: S311 - varied, not secret
    return print_by_portal(kind, [ROWS[kind.title](rng) for _ in range(rows)], rng).data


def needs_password() -> bytes:
    return transforms.encrypt(schedule(), user="secret")


def too_large(size_bytes_max: int) -> bytes:
    """A right schedule with a long comment after its header."""
    data = schedule()
    return data.replace(b"\n", b"\n%" + b"x" * (size_bytes_max + 1 - len(data)) + b"\n", 1)


def pages(count: int) -> bytes:
    """A right schedule of one page, again and again."""
    return transforms.merge([schedule(EXAMS, rows=5)] * count)


def scan() -> bytes:
    """Pictures of pages."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(PAGE_WIDTH, PAGE_HEIGHT))
    picture = ImageReader(Image.linear_gradient("L").resize((600, 400)))
    for _ in range(2):
        canvas.drawImage(picture, 0, 0, PAGE_WIDTH, PAGE_HEIGHT)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def poster() -> bytes:
    """Words, shapes and a time, and no table."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(PAGE_HEIGHT, PAGE_WIDTH))
    canvas.setFont("Helvetica-Bold", 40)
    canvas.rect(50, 50, 400, 300)
    canvas.drawString(80, 600, "Rag Week Concert")
    canvas.drawString(80, 500, "Saturday")
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def other_university() -> bytes:
    flow = Flow(OTHER_UNIVERSITY, HELVETICA, Random(1))  # noqa: S311 - varied, not secret
    row = [["BIO1000F"], ["Lecture"], ["Monday"], ["08:00"], ["08:45"], ["LT 1"], ["Dr A Example"]]
    flow.lay_out([])
    for _ in range(4):
        flow.draw_row(row)
    flow.close()
    return writers.portal(flow.pages, Random(1))  # noqa: S311 - varied, not secret


def empty_schedule(kind: Kind = TESTS) -> bytes:
    return schedule(kind, rows=0)


def packed_bomb(size_bytes: int = 200_000_000) -> bytes:
    """A small file whose page content unpacks to `size_bytes` of blanks."""
    packer = zlib.compressobj(9)
    block = b" " * 1_000_000
    content = b"".join(packer.compress(block) for _ in range(size_bytes // len(block))) + packer.flush()
    return _page(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(content), content))


def shared_content(*, pages: int = 100, size_bytes: int = 16_000_000, filters: int = 1) -> bytes:
    """A file of a few kilobytes whose pages share one stream of `q Q`, packed `filters` times."""
    content = b"q Q " * (size_bytes // 4)
    for _ in range(filters):
        content = zlib.compress(content, 9)
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 842 595] /Contents 3 0 R /Resources << >> >>"
    kids = b" ".join(b"%d 0 R" % (4 + number) for number in range(pages))
    packed = b"/FlateDecode " * filters
    return assemble(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Count %d /Kids [%b] >>" % (pages, kids),
            b"<< /Length %d /Filter [%b] >>\nstream\n%b\nendstream" % (len(content), packed, content),
            *[page] * pages,
        ]
    )


def rule_bomb(count: int = 200_000) -> bytes:
    """A page of very many rules."""
    content = zlib.compress(b"\n".join(b"0 %d 100 .5 re f" % (index % 500) for index in range(count)))
    return _page(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(content), content))


def form_bomb(depth: int = 12) -> bytes:
    """Forms that each draw the next one eight times: a few kilobytes, and gigabytes to interpret."""
    forms = [
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F %d 0 R >> >> /Length 50 >>\n"
        b"stream\n%b\nendstream" % (6 + index, b"/F Do " * 8 + b"  ")
        for index in range(depth)
    ]
    last = b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 12 >>\nstream\n0 0 1 1 re f\nendstream"
    content = b"<< /Length 6 >>\nstream\n/F Do \nendstream"
    return _page(content, resources=b"<< /XObject << /F 5 0 R >> >>", more=[*forms, last])


def repeated_form(times: int, *, size_bytes: int = 1_000_000, inherited: bool = False) -> bytes:
    """A page that draws a form of so many bytes again and again; the form's name is in the page, or above it."""
    form = zlib.compress(b"q Q " * (size_bytes // 4), 9)
    drawn = b"/F#31 Do " * times
    resources = b"/Resources << /XObject << /F1 5 0 R >> >>"
    own, above = (b"", resources) if inherited else (resources, b"")
    return assemble(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Count 1 /Kids [3 0 R] %b >>" % above,
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 842 595] /Contents 4 0 R %b >>" % own,
            b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawn), drawn),
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length %d /Filter /FlateDecode >>\n" % len(form)
            + b"stream\n%b\nendstream" % form,
        ]
    )


def self_drawn_form() -> bytes:
    """A form that draws itself."""
    form = b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F 5 0 R >> >> /Length 6 >>\n"
    content = b"<< /Length 6 >>\nstream\n/F Do \nendstream"
    resources = b"<< /XObject << /F 5 0 R >> >>"
    return _page(content, resources=resources, more=[form + b"stream\n/F Do \nendstream"])


def pattern_bomb(depth: int = 12) -> bytes:
    """Patterns that each fill eight shapes with the next one: only a limit on time stops it."""
    tile = b"<< /Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 9 9] /XStep 9 /YStep 9"
    fill = b"/Pattern cs /P scn " + b"0 0 9 9 re f " * 8
    patterns = [
        b"%b /Resources << /Pattern << /P %d 0 R >> >> /Length %d >>\nstream\n%b\nendstream"
        % (tile, 6 + index, len(fill), fill)
        for index in range(depth)
    ]
    last = b"%b /Resources << >> /Length 12 >>\nstream\n0 0 1 1 re f\nendstream" % tile
    content = b"<< /Length %d >>\nstream\n%b\nendstream" % (len(fill), fill)
    return _page(content, resources=b"<< /Pattern << /P 5 0 R >> >>", more=[*patterns, last])


def nested_arrays(depth: int = 200_000) -> bytes:
    """A page with resources nested deeper than any parser likes."""
    return _page(b"<< /Length 0 >>\nstream\n\nendstream", resources=b"[" * depth + b"]" * depth)


def with_blank_page() -> bytes:
    """A right schedule with a page that shows nothing."""
    return transforms.merge([schedule(), _page(b"<< /Length 3 >>\nstream\nq Q\nendstream"), schedule(seed=2)])


def with_other_table() -> bytes:
    """A right schedule and another university's."""
    return transforms.merge([schedule(), other_university()])


def without_rules() -> bytes:
    """A right schedule and a page of times with nothing around them."""
    content = b"BT /F1 10 Tf 50 500 Td (Monday) Tj 80 0 Td (08:30 - 09:20) Tj ET"
    font = b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    page = _page(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content), resources=font)
    return transforms.merge([schedule(), page])


def with_overwritten_content(share: float) -> bytes:
    """A right schedule whose first page's packed content turns to blanks after this share of it."""
    data = schedule(rows=8)
    start = data.index(b"stream\n") + len(b"stream\n")
    end = data.index(b"\nendstream")
    kept = start + int((end - start) * share)
    return data[:kept] + b" " * (end - kept) + data[end:]


def _page(content: bytes, *, resources: bytes = b"<< >>", more: list[bytes] | None = None) -> bytes:
    return assemble(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 842 595] /Contents 4 0 R /Resources %b >>" % resources,
            content,
            *(more or []),
        ]
    )
