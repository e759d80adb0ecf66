"""Compares what the workers of both releases read in a period, by layout, to find a canary that reads worse."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Self

import msgspec

from upschedule.deploy.comparison.statistics import Table, chance_of_excess, difference_at_most
from upschedule.deploy.comparison.verdict import Verdict
from upschedule.deploy.probe.metrics import Prometheus, Sample

#: The layout of a document without entries: a release that recognises more reads fewer documents as such.
_WITHOUT_ENTRIES = "none"
_READ, _WARNED = "read", "warned"
_REFUSED = "refused"
_READINGS, _EVENTS, _EVENTS_SUM = (
    "upschedule_readings_total",
    "upschedule_events_read_bucket",
    "upschedule_events_read_sum",
)
_SELECTOR = f'{{__name__=~"{_READINGS}|{_EVENTS}|{_EVENTS_SUM}",service="worker"}}'
#: The bucket of all documents.
_NO_LIMIT = "+Inf"
#: A busy instance may miss a scrape; its counters then are those of its last one.
_LOOK_BACK = "60s"


class DocumentLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much worse a canary may read, and how sure the comparison has to be.

    `more_max` bounds the difference of the ratios of documents. With fewer than `documents_min` documents of the canary
    the comparison is not sure.
    """

    more_max: float = 0.05
    documents_min: int = 0
    false_alarm_max: float = 0.01
    confidence: float = 0.99


class _Series(msgspec.Struct, frozen=True, kw_only=True):
    """`outcome` of a count of documents, `bound` of a bucket of their events, neither of the sum of the events."""

    layout: str
    outcome: str = ""
    bound: str = ""


class _Key(msgspec.Struct, frozen=True, kw_only=True):
    allocation: str
    series: _Series


class DocumentSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All counters at one moment, since the start of each instance. Opaque: only differences have a meaning."""

    counters: Mapping[_Key, int]

    def after(self, earlier: Self) -> "DocumentSnapshot":
        """Adds the last known counters of instances that are missing now."""
        return DocumentSnapshot(counters={**earlier.counters, **self.counters})


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """The documents that the workers of one release read."""

    counts: Mapping[_Series, int]

    @property
    def documents(self) -> int:
        """The documents whose reading ended, with any result."""
        return sum(count for series, count in self.counts.items() if series.outcome)

    @property
    def layouts(self) -> set[str]:
        return {series.layout for series in self.counts if series.outcome in {_READ, _WARNED}}

    @property
    def codes(self) -> set[str]:
        """The codes of the errors with which readings ended."""
        return {series.outcome for series in self.counts} - {_READ, _WARNED, ""}

    def refused(self, code: str | None = None) -> int:
        """The documents that were refused with this code, or with any."""
        wanted = self.codes if code is None else {code}
        return sum(count for series, count in self.counts.items() if series.outcome in wanted)

    def read(self, layout: str) -> int:
        return self._count(layout, outcome=_READ) + self.warned(layout)

    def warned(self, layout: str) -> int:
        return self._count(layout, outcome=_WARNED)

    def events(self, layout: str) -> int:
        """The number of events of all documents together."""
        return self._count(layout)

    def at_most(self, layout: str, bound: str) -> int:
        """How many documents have at most this number of events."""
        return self._count(layout, bound=bound)

    def counted(self, layout: str) -> int:
        """Documents whose events were counted: releases from before this comparison count none."""
        return self.at_most(layout, _NO_LIMIT)

    def bounds(self, layout: str) -> set[str]:
        return {series.bound for series in self.counts if series.layout == layout} - {"", _NO_LIMIT}

    def _count(self, layout: str, *, outcome: str = "", bound: str = "") -> int:
        return self.counts.get(_Series(layout=layout, outcome=outcome, bound=bound), 0)


class DocumentPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """The readings of both releases between two snapshots."""

    old: Readings
    new: Readings


class DocumentMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may be worse. `chance`: that an equally good release shows such a difference.

    Of refusals, `lacking` is the layout that the canary reads most rarely beside the old release, and `read` how often.
    """

    said: str
    table: Table
    chance: float
    worse: bool
    lacking: str = ""
    read: Table | None = None


class DocumentComparison(msgspec.Struct, frozen=True, kw_only=True):
    """`refused_more_at_most`: the upper limit of how much more often the canary refuses a document."""

    verdict: Verdict
    worse: tuple[DocumentMeasure, ...]
    refused_more_at_most: float


def read(prometheus: Prometheus, *, at: float | None = None) -> DocumentSnapshot:
    """The counters of now, or of `at` in seconds since 1970. Raises DeployError."""
    moment = "" if at is None else f" @ {at:.3f}"
    return snapshot_of(prometheus.samples(f"last_over_time({_SELECTOR}[{_LOOK_BACK}]{moment})"))


def snapshot_of(samples: Iterable[Sample]) -> DocumentSnapshot:
    """The counters that these samples hold. A pure function."""
    counters: Counter[_Key] = Counter()
    for sample in samples:
        labels = sample.metric
        series = _Series(layout=labels.get("layout", ""), outcome=labels.get("outcome", ""), bound=labels.get("le", ""))
        counters[_Key(allocation=labels.get("alloc", ""), series=series)] += round(float(sample.value[1]))
    return DocumentSnapshot(counters=counters)


def period(before: DocumentSnapshot, after: DocumentSnapshot, *, canaries: Collection[str]) -> DocumentPeriod:
    """`canaries` are allocations; all other instances are those of the previous release."""
    sides: tuple[Counter[_Series], Counter[_Series]] = (Counter(), Counter())
    for key, count in after.counters.items():
        earlier = before.counters.get(key, 0)
        # A counter that has become smaller began anew, as Prometheus' own `increase` takes it.
        sides[key.allocation in canaries][key.series] += count - earlier if count >= earlier else count
    old, new = (Readings(counts={series: count for series, count in side.items() if count}) for side in sides)
    return DocumentPeriod(old=old, new=new)


def compare_documents(both: DocumentPeriod, limits: DocumentLimits, *, looks: int) -> DocumentComparison:
    """Whether the canary reads worse. Few documents can show that it does, and never that it does not.

    Each document goes to either release by chance, so that equally good releases read the same mixture.
    """
    tables = list(_tables(both))
    chance_max = limits.false_alarm_max / (max(1, len(tables)) * looks)
    measures = [_measure(said, table, limits.more_max, chance_max) for said, table in tables]
    worse = tuple(_with_layout(each, both) for each in measures if each.worse)
    refused = _of_all(both, both.new.refused(), both.old.refused())
    at_most = difference_at_most(refused, confidence=limits.confidence)
    sure = at_most <= limits.more_max and both.new.documents >= limits.documents_min
    verdict = Verdict.WORSE if worse else Verdict.NOT_WORSE if sure else Verdict.UNSURE
    return DocumentComparison(verdict=verdict, worse=worse, refused_more_at_most=at_most)


def _tables(both: DocumentPeriod) -> Iterator[tuple[str, Table]]:
    """The compared rates by name, with documents as trials."""
    old, new = both.old, both.new
    yield _REFUSED, _of_all(both, new.refused(), old.refused())
    for code in sorted(old.codes | new.codes):
        yield f"{_REFUSED} as `{code}`", _of_all(both, new.refused(code), old.refused(code))
    for layout in sorted(old.layouts | new.layouts):
        old_read, new_read = old.read(layout), new.read(layout)
        if layout != _WITHOUT_ENTRIES:
            # A document that is refused has no layout, so that a layout that is refused shows by its absence.
            missing = _of_all(both, new.documents - new_read, old.documents - old_read)
            yield f"{layout}: refused, or not read as such, are", missing
        yield (
            f"{layout}: warned",
            Table(
                old_trials=old_read,
                old_events=old.warned(layout),
                new_trials=new_read,
                new_events=new.warned(layout),
            ),
        )
        if bound := _middle(both, layout):
            yield (
                f"{layout}: at most {float(bound):g} events in",
                Table(
                    old_trials=old.counted(layout),
                    old_events=old.at_most(layout, bound),
                    new_trials=new.counted(layout),
                    new_events=new.at_most(layout, bound),
                ),
            )


def _middle(both: DocumentPeriod, layout: str) -> str | None:
    """The bound that divides the documents of both releases most evenly: it depends on neither alone."""
    documents = both.old.counted(layout) + both.new.counted(layout)
    counted = {
        bound: both.old.at_most(layout, bound) + both.new.at_most(layout, bound)
        for bound in both.old.bounds(layout) | both.new.bounds(layout)
    }
    dividing = {bound: count for bound, count in counted.items() if 0 < count < documents}
    return min(dividing, key=lambda bound: (abs(2 * dividing[bound] - documents), float(bound)), default=None)


def _of_all(both: DocumentPeriod, new: int, old: int) -> Table:
    return Table(old_trials=both.old.documents, old_events=old, new_trials=both.new.documents, new_events=new)


def _measure(said: str, table: Table, more_max: float, chance_max: float) -> DocumentMeasure:
    chance = chance_of_excess([table])
    return DocumentMeasure(
        said=said, table=table, chance=chance, worse=chance <= chance_max and table.difference > more_max
    )


def _with_layout(measure: DocumentMeasure, both: DocumentPeriod) -> DocumentMeasure:
    """A refused document has no layout of its own."""
    layouts = both.old.layouts | both.new.layouts
    if not measure.said.startswith(_REFUSED) or not layouts:
        return measure
    tables = {each: _of_all(both, both.new.read(each), both.old.read(each)) for each in sorted(layouts)}
    lacking = min(tables, key=lambda each: tables[each].difference)
    return msgspec.structs.replace(measure, lacking=lacking, read=tables[lacking])
