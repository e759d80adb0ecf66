"""Recognises plain content streams, whose text needs no check of colour or rendering mode."""

#: Operators that style text in other ways than filling it with black or white, or that draw other objects: a rendering
#: mode, colour spaces and colours, a graphics state, forms and pictures, shadings, clips.
_STYLING = (b" Tr", b" sc", b" k", b" g", b" Do", b" sh", b" W ", b" W*", b"BI")
_DIGITS = b"0123456789."
#: Any white space may come before an operator.
_BLANKS = bytes.maketrans(b"\0\t\n\f\r", b"     ")


def is_plain(content: bytes) -> bool:
    """Whether a content stream can show only filled text in black or white, lines and rectangles.

    The portal's pages are plain. A false negative costs only time.
    """
    # Most of a page are numbers: without them the search is several times faster.
    words = content.translate(_BLANKS, _DIGITS)
    if any(operator in words for operator in _STYLING):
        return False
    return words.count(b" rg") == content.count(b"0 0 0 rg") + content.count(b"1 1 1 rg")
