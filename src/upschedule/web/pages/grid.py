"""Places the entries of a day in a grid whose lines are times. Pure functions; the template only prints the result.

The lines of a grid grow with the text between them, so that no text is ever cut off.
"""

import math
from collections.abc import Iterable, Sequence

import msgspec

from upschedule.web.pages.items import Item

#: Every printed time falls on one of the lines.
MINUTES_PER_LINE = 5
#: Lines of a grid that shows a whole day.
LINES_MAX = 24 * 60 // MINUTES_PER_LINE

_LINES_PER_HOUR = 60 // MINUTES_PER_LINE
#: More than these beside each other leave no width for rooms: they are listed one below the other.
_LANES_MAX = 2


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One item, or several that overlap and are listed together.

    `half` is 1 or 2 if two blocks share the width of the day, and otherwise 0.
    """

    items: tuple[Item, ...]
    first_line: int
    last_line: int
    half: int = 0


class HourMark(msgspec.Struct, frozen=True, kw_only=True):
    """A full hour at the edge of the grid."""

    label: str
    line: int


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The hours that the grid shows. `last_line` ends the grid."""

    first_hour: int
    last_hour: int

    @property
    def last_line(self) -> int:
        return (self.last_hour - self.first_hour) * _LINES_PER_HOUR + 1

    @property
    def hours(self) -> tuple[HourMark, ...]:
        return tuple(
            HourMark(label=f"{hour:02}:00", line=(hour - self.first_hour) * _LINES_PER_HOUR + 1)
            for hour in range(self.first_hour, self.last_hour)
        )

    def blocks(self, items: Iterable[Item]) -> tuple[Block, ...]:
        """The items of one day, in time order."""
        return tuple(block for cluster in _clusters(items) for block in self._placed(cluster))

    def _placed(self, cluster: Sequence[Item]) -> Iterable[Block]:
        lanes = _lanes(cluster)
        if max(lanes) >= _LANES_MAX:
            yield self._block(cluster)
            return
        for item, lane in zip(cluster, lanes, strict=True):
            yield self._block([item], half=lane + 1 if max(lanes) else 0)

    def _block(self, items: Sequence[Item], *, half: int = 0) -> Block:
        first_line = (_minutes(items[0].start) - self.first_hour * 60) // MINUTES_PER_LINE + 1
        lines = math.ceil((max(map(_end, items)) - _minutes(items[0].start)) / MINUTES_PER_LINE)
        return Block(items=tuple(items), first_line=first_line, last_line=first_line + max(lines, 1), half=half)


def frame(items: Iterable[Item], *, default: tuple[int, int] = (8, 17)) -> Frame:
    """The hours around all these items; `default` if there are none."""
    times = [(_minutes(item.start), _end(item)) for item in items]
    if not times:
        return Frame(first_hour=default[0], last_hour=default[1])
    first = min(start for start, _ in times) // 60
    return Frame(first_hour=first, last_hour=max(math.ceil(max(end for _, end in times) / 60), first + 1))


def in_time_order(items: Iterable[Item]) -> list[Item]:
    """The items sorted by their start."""
    return sorted(items, key=lambda item: (item.start, item.end, item.module, item.entry_id))


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _end(item: Item) -> int:
    start, end = _minutes(item.start), _minutes(item.end or item.start)
    # An assumed end can lie after midnight. A class that ends before it begins was misread: it has its first line.
    return 24 * 60 if item.end_assumed and end < start else max(start, end)


def _clusters(items: Iterable[Item]) -> Iterable[list[Item]]:
    """Groups of items that are connected by overlaps. Only the items of a group share the width of the day."""
    cluster: list[Item] = []
    latest_end = 0
    for item in in_time_order(items):
        if cluster and _minutes(item.start) >= latest_end:
            yield cluster
            cluster, latest_end = [], 0
        cluster.append(item)
        latest_end = max(latest_end, _end(item))
    if cluster:
        yield cluster


def _lanes(cluster: Iterable[Item]) -> list[int]:
    """The lane of each item: the first one that is free at its start."""
    ends: list[int] = []
    lanes: list[int] = []
    for item in cluster:
        start = _minutes(item.start)
        lane = next((lane for lane, end in enumerate(ends) if end <= start), len(ends))
        ends[lane : lane + 1] = [_end(item)]
        lanes.append(lane)
    return lanes
