"""Whether a table runs on to the next page, or ended before it."""

from collections.abc import Sequence

from upschedule.pdf.cells import Row, Table
from upschedule.pdf.frame import Frame

#: A4 landscape in points: pages of this size are printed at full scale, with equal margins above and below.
_SHEET = (841.9, 595.3)
_SHEET_TOLERANCE = 3.0
#: What may stay free above the bottom margin of a full page: two lines, as a part of the page's height.
_FREE_SHARE = 0.08
#: Columns of one table stay where they are (points).
_COLUMN_TOLERANCE = 3.0


class PageEnds:
    """How far down the tables of a document reach."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._bottoms: dict[int, float] = {}
        for table in tables:
            page = table.frame.page
            self._bottoms[page] = max(self._bottoms.get(page, 0.0), table.grid.rows[-1])

    def reaches_end(self, row: Row) -> bool:
        """Whether `row` is the last of its page."""
        return row.rect[3] == self._bottoms[row.frame.page]

    def cut_between(self, before: Row, after: Row) -> bool:
        """Whether `after`, first on its page, can be the rest of `before`, last of the page before."""
        return self._same_table(before, after) and self._is_full(before, after, 0.0)

    def runs_on(self, before: Row, after: Row) -> bool:
        """Whether `after`, a whole row, can follow `before`: there was no room left for it on the page before."""
        return self._same_table(before, after) and self._is_full(before, after, after.height)

    def _same_table(self, before: Row, after: Row) -> bool:
        return (
            after.frame.page == before.frame.page + 1
            and len(before) == len(after)
            and abs(before.rect[0] - after.rect[0]) < _COLUMN_TOLERANCE
            and abs(before.rect[2] - after.rect[2]) < _COLUMN_TOLERANCE
        )

    def _is_full(self, before: Row, after: Row, wanted: float) -> bool:
        height = _upright_height(before.frame)
        allowance = max(_FREE_SHARE * height, wanted)
        if height - before.rect[3] <= after.rect[1] + allowance:
            return True
        others = [bottom for page, bottom in self._bottoms.items() if page != before.frame.page]
        return not _is_full_scale(before.frame) and before.rect[3] >= max(others) - allowance


def _upright_height(frame: Frame) -> float:
    return frame.width if frame.turns % 2 else frame.height


def _is_full_scale(frame: Frame) -> bool:
    size = sorted((frame.width, frame.height), reverse=True)
    return all(abs(side - sheet) < _SHEET_TOLERANCE for side, sheet in zip(size, _SHEET, strict=True))
