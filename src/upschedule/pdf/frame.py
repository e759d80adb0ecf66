"""Turns pages so that their text is upright, however they are stored or displayed."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from upschedule.timetable.event import Box

#: left, top, right, bottom in points, the origin at the top left.
Rect = tuple[float, float, float, float]
#: left, top, right, bottom, text, block, line, position in the line: as PyMuPDF gives them.
Word = tuple[float, float, float, float, str, int, int, int]

#: Quarter turns, anticlockwise, from upright text to the text on the page as displayed.
Turns = Literal[0, 1, 2, 3]


#: The number of steps between words from which the direction of a page is decided.
_STEPS = 12


class Frame(NamedTuple):
    """Turns rectangles between the page as displayed and the page with its text upright.

    Each table of a page has a frame of its own: heights of lines compare within one `table` only.
    """

    page: int
    width: float
    height: float
    turns: Turns
    table: int = 0
    #: How many times larger the upright page is than the displayed one.
    scale: float = 1.0

    def upright(self, rect: Rect) -> Rect:
        """Converts a rectangle of the displayed page."""
        left, top, right, bottom = rect
        if self.turns == 1:
            left, top, right, bottom = self.height - bottom, left, self.height - top, right
        elif self.turns == 2:  # noqa: PLR2004 - a half turn
            left, top, right, bottom = self.width - right, self.height - bottom, self.width - left, self.height - top
        elif self.turns == 3:  # noqa: PLR2004 - three quarter turns
            left, top, right, bottom = top, self.width - right, bottom, self.width - left
        return left * self.scale, top * self.scale, right * self.scale, bottom * self.scale

    @property
    def upright_height(self) -> float:
        """The height of the page with its text upright."""
        return (self.width if self.turns % 2 else self.height) * self.scale

    def displayed(self, rect: Rect, *, row: int) -> Box:
        """Back to the page as displayed, where a viewer can mark it."""
        left, top, right, bottom = (side / self.scale for side in rect)
        if self.turns == 1:
            left, top, right, bottom = top, self.height - right, bottom, self.height - left
        elif self.turns == 2:  # noqa: PLR2004 - a half turn
            left, top, right, bottom = self.width - right, self.height - bottom, self.width - left, self.height - top
        elif self.turns == 3:  # noqa: PLR2004 - three quarter turns
            left, top, right, bottom = self.width - bottom, left, self.width - top, right
        return Box(page=self.page, left=left, top=top, right=right, bottom=bottom, row=row)


def text_turns(words: Sequence[Word], otherwise: Turns) -> Turns:
    """The direction of most lines, from each word to the next of its line; `otherwise` if no line has two words."""
    across = down = 0.0
    steps = 0
    block = line = -1
    x = y = 0.0
    for word in words:
        if word[6] == line and word[5] == block:
            across += word[0] + word[2] - x
            down += word[1] + word[3] - y
            steps += 1
            if steps == _STEPS:
                break
        block, line, x, y = word[5], word[6], word[0] + word[2], word[1] + word[3]
    if not steps:
        return otherwise
    if abs(across) >= abs(down):
        return 0 if across >= 0 else 2
    return 1 if down < 0 else 3
