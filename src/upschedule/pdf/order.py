"""Restores the order of fragments whose pages were swapped, reversed or printed twice.

The portal sorts its rows, and only the first page of a schedule has a header. The reader uses both to restore the
order. If more than one order is possible, it refuses the file. Unsorted rows give no information about the order.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from upschedule.pdf.errors import Incomplete
from upschedule.pdf.fragments import LAYOUTS, Fragment
from upschedule.pdf.layouts.fields import joined
from upschedule.timetable.event import ReadingWarning

#: The number of neighbouring rows in order that proves that the rows of a document are sorted.
_SORTED_MIN = 6

Follows = Callable[[Fragment, Fragment], bool]


class Arranged(NamedTuple):
    """The fragments in the order in which they were printed, each once."""

    fragments: list[Fragment]
    warnings: list[ReadingWarning]
    #: Whether the rows of the document are sorted, so that their order was proved.
    is_sorted: bool


def arrange(fragments: Sequence[Fragment], follows: Follows) -> Arranged:
    """Put fragments in order. `follows` tells whether one fragment can be the continuation of another.

    Raises `Incomplete` if the fragments are in disorder and nothing tells their order.
    """
    once, warnings = _without_repeats(fragments)
    if not _is_sorted(once):
        return Arranged(once, warnings, is_sorted=False)
    for layout in LAYOUTS:
        mine = [fragment for fragment in once if fragment.layout is layout]
        if not mine:
            continue
        in_disorder = _in_disorder(mine, once)
        if not in_disorder and not _header_is_late(mine):
            continue
        ordered = _restored(mine, follows)
        if not ordered and in_disorder:
            raise Incomplete(_unclear(mine))
        if not ordered:
            continue
        warnings.append(_disorder(mine, ordered))
        places = iter(ordered)
        once = [next(places) if fragment.layout is layout else fragment for fragment in once]
    return Arranged(once, warnings, is_sorted=True)


def _without_repeats(fragments: Sequence[Fragment]) -> tuple[list[Fragment], list[ReadingWarning]]:
    seen: dict[tuple[object, ...], Fragment] = {}
    once: list[Fragment] = []
    warnings: list[ReadingWarning] = []
    for fragment in fragments:
        contents = (
            fragment.headed,
            fragment.columns.names,
            *(tuple(joined(cell) for cell in part.fields.values()) for part in fragment.parts),
        )
        first = seen.setdefault(contents, fragment)
        # A piece of a row identifies little, but it does not occur twice in succession.
        certain = bool(fragment.keys) or (bool(once) and once[-1] is first)
        if first is fragment or first.page == fragment.page or not certain:
            once.append(fragment)
        else:
            message = f"This page repeats page {first.page}; its rows were read once."
            warnings.append(ReadingWarning(page=fragment.page, message=message))
    return once, warnings


def is_before(one: Fragment, other: Fragment) -> bool:
    """Whether the sorted rows prove that one fragment comes before the other."""
    return bool(one.keys and other.keys) and one.keys[-1] < other.keys[0]


def _is_sorted(fragments: Sequence[Fragment]) -> bool:
    steps = [one <= other for fragment in fragments for one, other in pairwise(fragment.keys)]
    return len(steps) >= _SORTED_MIN and all(steps)


def _in_disorder(fragments: Sequence[Fragment], everything: Sequence[Fragment]) -> bool:
    """Whether the rows of a schedule are not sorted over its pages. Headers on all pages begin no other schedule."""
    if all(fragment.headed for fragment in fragments):
        return False
    last = ""
    before: Fragment | None = None
    for fragment in everything:
        if fragment.headed or (before and before.layout is not fragment.layout):
            last = ""
        before = fragment
        keys = fragment.keys
        if keys:
            # The rows within each fragment are sorted.
            if fragment.layout is fragments[0].layout and keys[0] < last:
                return True
            last = keys[-1]
    return False


def _header_is_late(fragments: Sequence[Fragment]) -> bool:
    """Pages before the only header: they are in disorder, or belong to another schedule whose header is lost."""
    return not fragments[0].headed and sum(fragment.headed for fragment in fragments) == 1


def _restored(fragments: Sequence[Fragment], follows: Follows) -> list[Fragment]:
    """The only order in which the header comes first and the rows are sorted; empty if there is none."""
    headed = [fragment for fragment in fragments if fragment.headed]
    others = [fragment for fragment in fragments if not fragment.headed]
    if len(headed) > 1 or not all(fragment.keys for fragment in others):
        return []
    ordered = [*headed, *sorted(others, key=lambda fragment: (fragment.keys[0], fragment.keys[-1]))]
    for one, other in pairwise(ordered):
        # Two fragments with a single key between them could be either way round.
        either = not one.headed and other.keys[-1] <= one.keys[0]
        if one.keys[-1:] > other.keys[:1] or either or not follows(one, other):
            return []
    return ordered


def _disorder(fragments: Sequence[Fragment], ordered: Sequence[Fragment]) -> ReadingWarning:
    moved = next(one for one, other in zip(fragments, ordered, strict=True) if one is not other)
    pages = ", ".join(str(fragment.page) for fragment in ordered)
    message = f"The pages are not in their printed order. They were read in the order of their rows: {pages}."
    return ReadingWarning(page=moved.page, message=message)


def _unclear(fragments: Sequence[Fragment]) -> str:
    kind, page = fragments[0].layout.name, fragments[0].page
    return (
        f"The pages of the {kind} schedule from page {page} on are not in order, or some are missing. "
        "Download the schedule from the UP Portal again."
    )
