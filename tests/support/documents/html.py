"""A schedule as a page of HTML, which a browser prints again."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from tests.support.documents.schedules import Kind, Row

_STYLE = """
body { margin: 0; font: 8pt Arial, sans-serif }
table { border-collapse: collapse }
td, th { border: 0.75pt solid black; padding: 0 5pt; text-align: left; vertical-align: top }
"""


def page_of(kind: Kind, rows: Sequence[Row], *, repeats_header: bool) -> str:
    """The table with a line for each text of a cell; `repeats_header` prints the header on each page."""
    columns = "".join(f'<col style="width: {right - left}pt">' for left, right in pairwise(kind.borders))
    header = "<tr>" + "".join(f"<th>{escape(text)}</th>" for text in kind.headers) + "</tr>"
    body = "".join(
        "<tr>" + "".join(f"<td>{'<br>'.join(map(escape, cell))}</td>" for cell in row.cells) + "</tr>" for row in rows
    )
    head = f"<thead>{header}</thead>" if repeats_header else header
    return (
        f"<!doctype html><meta charset=utf-8><title>My schedule</title><style>{_STYLE}</style>"
        f"<h1>{kind.title}</h1><table><colgroup>{columns}</colgroup>{head}<tbody>{body}</tbody></table>"
    )
