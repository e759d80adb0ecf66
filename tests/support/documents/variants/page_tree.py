"""Errors in the page tree."""

import re
from collections.abc import Callable
from random import Random

import pikepdf
import pymupdf

from tests.support.documents.variants.editing import edited


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

    return edited(data, change)
