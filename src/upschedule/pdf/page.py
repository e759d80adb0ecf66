"""Extracts the words and paths of one page, inside and outside of its visible box."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import pymupdf

from upschedule.pdf.document import Opened, library_errors, mupdf, mupdf_tools
from upschedule.pdf.errors import Damaged, TooComplex
from upschedule.pdf.frame import Frame, Rect, Turns, Word, text_turns
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.rules import THICKNESS_MAX, Stroke
from upschedule.pdf.styles import WHITE, Fill, Ignored, judge
from upschedule.pdf.text import normalise_words

#: The types of pymupdf do not have its constants.
_constants: Any = pymupdf
_CLIP: int = _constants.TEXT_CLIP
#: The text is that of the glyphs, and `/ActualText` is ignored. MuPDF resolves ligatures and all kinds of spaces; a
#: letter without a Unicode value becomes U+FFFD.
_FLAGS: int = _constants.TEXT_COLLECT_VECTORS | _constants.TEXT_IGNORE_ACTUALTEXT
_VECTOR = 3
#: The warnings of MuPDF that mean that it skipped a part of the page.
_LOSSES = ("syntax error", "zlib error", "premature end")
#: Warnings about a missing or wrong checksum are ignored: `document.py` has checked that all content is complete.
_CHECKSUM = re.compile(r"premature end of data in flate filter|zlib error: incorrect (?:data|length) check")
_DESCRIPTION = re.compile(r"vector (stroked|filled), color: #([0-9a-f]{6}), alpha: (\d+), is-rect: (true|false)")
#: A filled area of at least this share of the page is its background.
_BACKGROUND_SHARE = 0.8
#: A page is scaled if its usual height of words (points) is outside of this range. `_HEIGHT` is the height afterwards.
_USUAL_HEIGHTS = (7.0, 30.0)
_HEIGHT = 13.0
#: The size of the sample of words from which their usual height is estimated.
_SAMPLE = 50
#: Stroked lines have one thickness if a share of `_ALIKE_SHARE` differs from the median by less than `_ALIKE` points.
_ALIKE, _ALIKE_SHARE = 0.2, 0.8
#: The smallest number of lines of a table in each direction.
_UPRIGHT_MIN = 3
#: The university's portal draws ruled lines as filled rectangles of this thickness (points).
_PORTAL_RULE = (0.45, 0.55)


class PageContents(NamedTuple):
    """The words and paths of a page, rotated so that its text is upright.

    `visible` is the box that a viewer shows. `ignored` are words that are not text of the schedule, each with the
    reason. `hidden` are the words of lines that are clipped away. `drawings` is the number of paths that are neither
    straight lines nor rectangles. `pictured` is true if the page has images. `portal_rules` is true if all ruled lines
    have the form that the university's portal gives them.
    """

    words: list[Word]
    strokes: list[Stroke]
    frame: Frame
    visible: Rect
    ignored: list[Ignored]
    hidden: list[Word]
    drawings: int
    pictured: bool
    portal_rules: bool


class _Paint(NamedTuple):
    """MuPDF's description of a path. `outline`: stroked, not filled. `straight`: one straight line, or a rectangle."""

    outline: bool
    colour: int
    visible: bool
    straight: bool


class _Paths(NamedTuple):
    strokes: list[Stroke]
    fills: list[Fill]
    background: int
    drawings: int
    portal_rules: bool


def read_page(opened: Opened, number: int, *, limits: ReadingLimits, turns: Turns = 0) -> PageContents:
    """Reads page `number`, counted from 1.

    `turns` is the rotation of the previous page's text in quarter turns. Raises `TooComplex` or `Damaged`.
    """
    with library_errors():
        return _read(opened, number, limits, turns)


def _read(opened: Opened, number: int, limits: ReadingLimits, turns: Turns) -> PageContents:
    page = opened.document[number - 1]
    mupdf_tools.reset_mupdf_warnings()
    # A display list applies /Rotate and /CropBox as a viewer does. Annotations are not part of the schedule.
    shown = page.get_displaylist(annots=0)
    text = _text_of(shown, _FLAGS)
    warnings = _CHECKSUM.sub("", mupdf_tools.mupdf_warnings())
    if any(loss in warnings for loss in _LOSSES):
        raise Damaged
    words: list[Word] = text.extractWORDS()
    blocks: list[tuple[Any, ...]] = text.extractBLOCKS()
    extent = shown.rect
    paths = _paths(blocks, extent)
    if len(words) > limits.words_per_page_max or len(paths.strokes) > limits.rules_per_page_max:
        raise TooComplex
    frame = Frame(number, extent.width, extent.height, text_turns(words, turns))
    ignored: list[Ignored] = []
    plain = number in opened.plain_pages
    hidden: list[Word] = []
    if not plain:
        clipped = _text_of(shown, _FLAGS | _CLIP)
        hidden = _hidden(words, clipped.extractWORDS())
        visible_paths = _paths(clipped.extractBLOCKS(), extent)
        # A browser that prints a table draws a row at a page break on both pages, and clips it at the top or bottom of
        # the page. So the clipped paths are used, unless paths are clipped at a side, where columns would be lost.
        if _sides(visible_paths.strokes) == _sides(paths.strokes):
            paths = visible_paths
        words, ignored = judge(words, text.extractDICT(), paths.fills, paths.background, frame.turns)
    if not all(block[4].isascii() for block in blocks):
        words = normalise_words(words)
    strokes = paths.strokes
    frame = frame._replace(scale=_scale(words, frame))
    if frame.turns or frame.scale != 1:
        words = [(*frame.upright(word[:4]), *word[4:]) for word in words]
        strokes = [stroke._replace(rect=frame.upright(stroke.rect)) for stroke in strokes]
        ignored = [Ignored((*frame.upright(word[:4]), *word[4:]), reason) for word, reason in ignored]
        hidden = [(*frame.upright(word[:4]), *word[4:]) for word in hidden]
    visible = frame.upright((0.0, 0.0, frame.width, frame.height))
    pictured = not plain and bool(page.get_images())
    return PageContents(words, strokes, frame, visible, ignored, hidden, paths.drawings, pictured, paths.portal_rules)


def _scale(words: Sequence[Word], frame: Frame) -> float:
    """The factor that scales very small or large letters to the usual height, for which all distances are chosen."""
    sideways = frame.turns % 2
    sample = words[:: 1 + len(words) // _SAMPLE]
    heights: list[float] = sorted([word[2] - word[0] if sideways else word[3] - word[1] for word in sample])
    height = heights[len(heights) // 2] if heights else 0.0
    low, high = _USUAL_HEIGHTS
    return 1.0 if low <= height <= high or height <= 0 else _HEIGHT / height


def _text_of(shown: Any, flags: int) -> Any:
    """Extracts text and paths of a display list, including those outside of its visible box."""
    endless = mupdf.FzRect(mupdf.FzRect.Fixed_INFINITE)
    options = mupdf.FzStextOptions()
    options.flags = flags
    text = mupdf.FzStextPage(endless)
    device = mupdf.fz_new_stext_device(text, options)
    mupdf.fz_run_display_list(shown.this, device, mupdf.FzMatrix(), endless, mupdf.FzCookie())
    mupdf.fz_close_device(device)
    return pymupdf.TextPage(text)


def _hidden(words: Sequence[Word], shown: Sequence[Word]) -> list[Word]:
    """The words of lines that are clipped away completely.

    A line of which a part is visible is not hidden: a long text may extend beyond its cell.
    """
    if len(words) == len(shown):
        return []
    places = {(round(word[0]), round(word[1])) for word in shown}
    near = (-1, 0, 1)
    seen = {
        word[5:7]
        for word in words
        if any((round(word[0]) + x, round(word[1]) + y) in places for x in near for y in near)
    }
    return [word for word in words if word[5:7] not in seen]


def _paths(blocks: list[tuple[Any, ...]], extent: Any) -> _Paths:
    drawn = _thinned([(block[:4], _paint(block[4])) for block in blocks if block[6] == _VECTOR])
    background = WHITE
    fills: list[Fill] = []
    strokes: list[Stroke] = []
    drawings = 0
    portal = True
    large = extent.width * extent.height * _BACKGROUND_SHARE
    low, high = _PORTAL_RULE
    for rect, (outline, colour, visible, straight) in drawn:
        left, top, right, bottom = rect
        thickness = _thickness(rect)
        if not visible:
            continue
        if thickness <= THICKNESS_MAX or (outline and straight):
            strokes.append(Stroke(rect, outline, colour))
            portal = portal and not outline and low <= thickness <= high
        elif not straight:
            drawings += 1
        elif (right - left) * (bottom - top) >= large:
            background = colour
            fills.clear()
        else:
            fills.append(Fill(rect, colour))
    strokes = [stroke for stroke in strokes if stroke.style != background]
    return _Paths(strokes, fills, background, drawings, portal)


def _sides(strokes: Sequence[Stroke]) -> tuple[int, int]:
    """The smallest left and the largest right coordinate of all strokes, in whole points."""
    lefts, rights = [stroke.rect[0] for stroke in strokes], [stroke.rect[2] for stroke in strokes]
    return round(min(lefts, default=0.0)), round(max(rights, default=0.0))


def _thinned(drawn: list[tuple[Rect, _Paint]]) -> list[tuple[Rect, _Paint]]:
    """Makes stroked lines thinner that MuPDF reports too thick: it does not scale the width of a line with the page."""
    lines = [rect for rect, paint in drawn if paint.outline and paint.straight and paint.visible]
    widths = sorted(map(_thickness, lines))
    usual = widths[len(widths) // 2] if widths else 0.0
    if usual <= THICKNESS_MAX:
        return drawn
    alike = [rect for rect in lines if abs(_thickness(rect) - usual) < _ALIKE]
    # Boxes around cells are alike as well, but a table of lines has several in each direction.
    upright = sum(rect[3] - rect[1] > rect[2] - rect[0] for rect in alike)
    if len(alike) < len(lines) * _ALIKE_SHARE or not _UPRIGHT_MIN <= upright <= len(alike) - _UPRIGHT_MIN:
        return drawn
    inset = usual / 2 - _ALIKE
    return [
        (
            (rect[0] + inset, rect[1] + inset, rect[2] - inset, rect[3] - inset)
            if paint.outline and paint.straight and abs(_thickness(rect) - usual) < _ALIKE
            else rect,
            paint,
        )
        for rect, paint in drawn
    ]


def _thickness(rect: Rect) -> float:
    return min(rect[2] - rect[0], rect[3] - rect[1])


@lru_cache(maxsize=256)
def _paint(description: str) -> _Paint:
    """Parses `<vector stroked, color: #rrggbb, alpha: 255, is-rect: true, continues: false>`."""
    found = _DESCRIPTION.search(description)
    if not found:
        return _Paint(outline=False, colour=0, visible=True, straight=False)
    kind, colour, alpha, straight = found.groups()
    return _Paint(kind == "stroked", int(colour, 16), alpha != "0", straight == "true")
