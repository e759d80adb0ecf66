"""Decides by their painting which words of a page are text of the schedule.

The portal paints black text and one white letter in a row, with nothing that could hide or overlay it; `is_plain`
recognises such a page, whose words need no further look. On any other page each word has a style: colour, opacity and
direction. Words that are invisible, and those that were put over the page later (a watermark, a note), are set apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from upschedule.pdf.errors import Incomplete
from upschedule.pdf.frame import Rect, Turns, Word

#: Text with less than this share of the usual contrast to its background is pale: a watermark.
_PALE_SHARE = 0.5
#: A colour that less than this share of the words have was added to the page.
_RARE_SHARE = 0.03
#: Up to this number, words of one colour can be a note on a page with few words.
_NOTE_WORDS_MAX = 6
#: A line that is this far (sine) from the direction of the page is slanted.
_SLANTED = 0.02
#: The number of pairs of a filled area and a word that are compared. With more, only the background of the page counts.
_STEPS_MAX = 500_000
#: Red, green and blue differ by at least this much in a colour that is no shade of grey.
_SATURATED = 0x50
WHITE = 0xFFFFFF
#: The direction of upright text on a page whose text is turned by 0 to 3 quarters.
_DIRECTIONS = ((1.0, 0.0), (0.0, -1.0), (-1.0, 0.0), (0.0, 1.0))


class Reason(Enum):
    """Why a word is not text of the schedule."""

    INVISIBLE = "Invisible text"
    PALE = "Pale text"
    SLANTED = "Slanted text"
    LARGE = "Large text"
    COLOURED = "Text in another colour"


class Ignored(NamedTuple):
    """A word that was set apart."""

    word: Word
    reason: Reason


class Fill(NamedTuple):
    """An area filled with one colour (0xRRGGBB)."""

    rect: Rect
    colour: int


class _Style(NamedTuple):
    colour: int
    alpha: float
    direction: tuple[float, float]


def judge(
    words: Sequence[Word], text: Mapping[str, Any], fills: Sequence[Fill], background: int, turns: Turns
) -> tuple[list[Word], list[Ignored]]:
    """The words of the schedule, and the others with their reasons.

    `text` is the same page as a dictionary of MuPDF's; `fills` are in the order of painting. Raises `Incomplete` if
    the two disagree about the page's letters.
    """
    styles = _styles(words, text)
    upright = _DIRECTIONS[turns]
    painted = len(fills) * len(words) <= _STEPS_MAX
    contrasts = [
        _contrast(style, _behind(word, fills, background) if painted else background)
        for word, style in zip(words, styles, strict=True)
    ]
    visible = sorted(contrast for contrast in contrasts if contrast)
    usual = visible[len(visible) * 9 // 10] if visible else 0.0
    added = _added_colours(words, styles)
    remaining: list[Word] = []
    ignored: list[Ignored] = []
    for word, style, contrast in zip(words, styles, contrasts, strict=True):
        across = style.direction[0] * upright[1] - style.direction[1] * upright[0]
        along = style.direction[0] * upright[0] + style.direction[1] * upright[1]
        if style.alpha == 0:
            ignored.append(Ignored(word, Reason.INVISIBLE))
        elif abs(across) > _SLANTED or along < 0:
            ignored.append(Ignored(word, Reason.SLANTED))
        elif contrast < usual * _PALE_SHARE and not _is_kind_letter(word, contrast):
            ignored.append(Ignored(word, Reason.PALE if contrast else Reason.INVISIBLE))
        elif style.colour in added:
            ignored.append(Ignored(word, Reason.COLOURED))
        else:
            remaining.append(word)
    return remaining, ignored


def _styles(words: Sequence[Word], text: Mapping[str, Any]) -> list[_Style]:
    """The style of each word's first letter: both sides hold the same letters in the same order."""
    letters = _letters(text)
    styles: list[_Style] = []
    left, style = 0, _Style(0, 0, (1.0, 0.0))
    for word in words:
        wanted = len(word[4])
        while not left:
            left, style = next(letters, (wanted, style))
        styles.append(style)
        while wanted > left:
            wanted -= left
            left, style = next(letters, (wanted, style))
        left -= wanted
    if left or next(letters, None):
        raise Incomplete
    return styles


def _letters(text: Mapping[str, Any]) -> Iterator[tuple[int, _Style]]:
    for block in text["blocks"]:
        for line in block.get("lines", ()):
            for span in line["spans"]:
                count = sum(not _ends_word(letter) for letter in span["text"])
                # A letter that is neither filled nor stroked is invisible, as a layer of recognised text is.
                alpha = span["alpha"] / 255 if span["char_flags"] & _PAINTED else 0.0
                if count:
                    yield count, _Style(span["color"], alpha, line["dir"])


#: MuPDF's flags of letters that are stroked or filled.
_PAINTED = 16 | 32


def _ends_word(letter: str) -> bool:
    """Whether a word ends at this letter, by the rule of MuPDF's own words."""
    return letter <= " " or letter == "\u00a0" or "\u202a" <= letter <= "\u202e"


def _behind(word: Word, fills: Sequence[Fill], background: int) -> int:
    """The colour that was last painted where the word is."""
    x, y = (word[0] + word[2]) / 2, (word[1] + word[3]) / 2
    for (left, top, right, bottom), colour in reversed(fills):
        if left <= x <= right and top <= y <= bottom:
            return colour
    return background


def _contrast(style: _Style, behind: int) -> float:
    """0 to 1: how far the word's brightness is from that behind it."""
    return abs(_brightness(style.colour) - _brightness(behind)) * style.alpha


def _brightness(colour: int) -> float:
    red, green, blue = _parts(colour)
    return (0.3 * red + 0.59 * green + 0.11 * blue) / 255


def _parts(colour: int) -> tuple[int, int, int]:
    return colour >> 16 & 255, colour >> 8 & 255, colour & 255


def _added_colours(words: Sequence[Word], styles: Sequence[_Style]) -> set[int]:
    """Colours of few words. That of a header is rare, too, but it names the columns.

    On a page with few words a note is not rare; there its words have no digits, which most fields of a schedule have.
    """
    texts: dict[int, list[str]] = {}
    for word, style in zip(words, styles, strict=True):
        if style.alpha and max(_parts(style.colour)) - min(_parts(style.colour)) >= _SATURATED:
            texts.setdefault(style.colour, []).append(word[4])
    return {
        colour
        for colour, found in texts.items()
        if not any(text.lower() == "module" for text in found)
        and (
            len(found) < len(words) * _RARE_SHARE
            or (len(found) <= _NOTE_WORDS_MAX and not any(letter.isdecimal() for text in found for letter in text))
        )
    }


def _is_kind_letter(word: Word, contrast: float) -> bool:
    """The portal prints the kind of a group in the colour of the paper."""
    return not contrast and len(word[4]) == 1 and word[4].isupper()
