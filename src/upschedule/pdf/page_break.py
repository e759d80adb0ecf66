"""Decides whether a fragment continues in the next one, or ended before it."""

from collections.abc import Sequence

from upschedule.pdf.cells import Table
from upschedule.pdf.document import PageObjects
from upschedule.pdf.fragments import Fragment
from upschedule.pdf.frame import Frame

#: A4 landscape in points: the portal prints pages of this size, with equal margins above and below.
_SHEET = (841.9, 595.3)
_SHEET_TOLERANCE = 3.0
#: The portal's bottom margin and the least height of a line of its tables (points).
_PORTAL_MARGIN, _PORTAL_LINE = 36.0, 13.2
#: What may stay free above the bottom margin of a full page: two lines, as a part of the page's height.
_FREE_SHARE = 0.08
#: Other producers have wider margins below than above. A table that ends higher than this has ended.
_FULL_SHARE = 0.5
#: A page has at least an object of its own and one for its content.
_PAGE_OBJECTS_MIN = 2
#: Columns of one table stay where they are, as a part of the table's width.
_COLUMN_TOLERANCE = 0.012
#: Pages of one document are printed at one scale.
_SCALE_TOLERANCE = 0.03


class PageBreaks:
    """Judges the borders between the fragments of a document."""

    def __init__(self, tables: Sequence[Table], portal_pages: frozenset[int], objects: PageObjects) -> None:
        self._portal_pages = portal_pages
        self._objects = objects
        self._bottoms: dict[int, float] = {}
        for table in tables:
            page = table.frame.page
            self._bottoms[page] = max(self._bottoms.get(page, 0.0), table.grid.rows[-1])

    def follows(self, before: Fragment, after: Fragment) -> bool:
        """Whether `after` can begin with the rest of a row that `before` ended with."""
        return self._same_columns(before, after) and self.is_full(before, after)

    def runs_on(self, before: Fragment, after: Fragment) -> bool:
        """Whether `after`, which begins with a whole row, can follow: `before` had no room left for that row."""
        wanted = after.parts[0].row.height if after.parts else 0.0
        return self._same_columns(before, after) and self.is_full(before, after, wanted)

    def is_full(self, before: Fragment, after: Fragment, wanted: float = 0.0) -> bool:
        """Whether `before` reaches the end of its page, with less than `wanted` points left free."""
        frame, page = before.table.frame, before.page
        if after.page == page:
            return True
        height = frame.upright_height
        bottom, top = before.table.grid.rows[-1], after.table.grid.rows[0]
        allowance = max(_FREE_SHARE * height, wanted)
        if height - bottom <= top + allowance:
            return True
        if page in self._portal_pages and _is_full_scale(frame):
            return False
        others = [other for number, other in self._bottoms.items() if number != page]
        return bottom >= height * _FULL_SHARE or bottom >= max(others, default=0.0) - allowance

    def in_file_order(self, before: Fragment, after: Fragment) -> bool:
        """False if the file shows that its pages were moved: producers number the pages in the order of writing.

        A file made for the web keeps its first page behind all others.
        """
        pages = self._objects.pages
        first, second = pages[before.page - 1], pages[after.page - 1]
        if before.page == after.page:
            return True
        if before.page == 1 and first == max(pages):
            first = 0
        return first < second and not any(first < page < second for page in pages)

    def page_removed(self, before: Fragment, after: Fragment) -> bool:
        """Whether the file shows that a page was taken out between the two."""
        pages, removed, free = self._objects
        first, second = pages[before.page - 1], pages[after.page - 1]
        gone = sum(first < number < second for number in free)
        return any(first < number < second for number in removed) or gone >= _PAGE_OBJECTS_MIN

    def fills_page(self, fragment: Fragment) -> bool:
        """Whether the fragment leaves no room for another line on its page, as the portal prints them."""
        frame, bottom = fragment.table.frame, fragment.table.grid.rows[-1]
        on_portal_page = fragment.page in self._portal_pages and _is_full_scale(frame)
        return on_portal_page and frame.upright_height - bottom < _PORTAL_MARGIN + _PORTAL_LINE

    def _same_columns(self, before: Fragment, after: Fragment) -> bool:
        one, other = before.table.grid.columns, after.table.grid.columns
        width = one[-1] - one[0]
        if len(one) != len(other) or abs(width - other[-1] + other[0]) > width * _SCALE_TOLERANCE:
            return False
        shift = other[0] - one[0]
        return all(abs(y - x - shift) <= width * _COLUMN_TOLERANCE for x, y in zip(one, other, strict=True))


def _is_full_scale(frame: Frame) -> bool:
    size = sorted((frame.width, frame.height), reverse=True)
    return frame.scale == 1 and all(
        abs(side - sheet) < _SHEET_TOLERANCE for side, sheet in zip(size, _SHEET, strict=True)
    )
