"""Tests for which content streams the style of the words need not be checked."""

import pytest

from upschedule.pdf.plain import is_plain

PORTAL = (
    b"0 0 0 RG 0 0 0 rg\r\nBT\r\n/F1 20 Tf\r\n1 0 0 1 36 540 Tm\r\n(Lectures)Tj\r\n1 1 1 rg (L)Tj ET\r\n1 2 3 .5 re f"
)


def test_black_and_white_text_and_rectangles_are_plain() -> None:
    assert is_plain(PORTAL)


@pytest.mark.parametrize("space", [b" ", b"\n", b"\r\n", b"\t"])
@pytest.mark.parametrize(
    "operator", [b"3 Tr", b".5 g", b"0 1 0 0 k", b"/G gs", b"/X Do", b"/C cs 1 sc", b"1 0 0 rg", b"W n"]
)
def test_an_operator_that_could_style_or_hide_text_is_not(operator: bytes, space: bytes) -> None:
    assert not is_plain(PORTAL + space + operator.replace(b" ", space) + space)
