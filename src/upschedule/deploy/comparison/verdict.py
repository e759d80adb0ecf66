"""Decides whether a new release is worse than the running one, and how certain that is. Pure functions."""

import enum
from collections.abc import Iterable, Sequence

import msgspec

from upschedule.deploy.comparison.statistics import Table, chance_of_excess, difference_at_most
from upschedule.deploy.comparison.traffic import Count, Slice

#: The subject of what is compared over all subjects.
ALL = "all"


class Verdict(enum.StrEnum):
    """`UNSURE`: too few trials to say either."""

    NOT_WORSE = "not worse"
    UNSURE = "not sure"
    WORSE = "worse"


class Relevance(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison decides about one kind of event.

    `more_max`: how much larger the new release's ratio of events may be. `in_bursts`: events come many at once from
    one cause, such as a pause of the machine, so that those of a single slice decide nothing.
    """

    more_max: float
    in_bursts: bool


class Sureness(msgspec.Struct, frozen=True, kw_only=True):
    """`false_alarm_max` bounds the chance that an equally good release is called worse, in all `looks` together.

    `confidence` is that with which a release is called not worse.
    """

    false_alarm_max: float
    confidence: float
    looks: int


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of event of one subject. `chance`: that an equally good release shows such a difference."""

    subject: str
    event: str
    table: Table
    chance: float
    more_at_most: float
    verdict: Verdict


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`overall` is compared over all subjects, `worse` are the single measures that make a release worse."""

    verdict: Verdict
    overall: tuple[Measure, ...]
    worse: tuple[Measure, ...]


def compare(slices: Sequence[Slice], events: dict[str, Relevance], sureness: Sureness) -> Comparison:
    """Compares each subject in each slice: what slows both releases in the same seconds is not a difference.

    A release is not worse when that is sure over all subjects; a subject with few trials can show only that it is.
    """
    subjects = sorted({name for each in slices for name in (*each.old, *each.new)})
    tests = max(1, (len(subjects) + 1) * len(events))
    judge = _Judge(
        slices=slices, chance_max=sureness.false_alarm_max / (tests * sureness.looks), confidence=sureness.confidence
    )
    single = [judge.measure(name, [name], *event) for name in subjects for event in events.items()]
    overall = [judge.measure(ALL, subjects, *event) for event in events.items()]
    worse = tuple(each for each in (*single, *overall) if each.verdict is Verdict.WORSE)
    sure = all(each.verdict is Verdict.NOT_WORSE for each in overall)
    verdict = Verdict.WORSE if worse else Verdict.NOT_WORSE if sure and overall else Verdict.UNSURE
    return Comparison(verdict=verdict, overall=tuple(overall), worse=worse)


class _Judge(msgspec.Struct, frozen=True, kw_only=True):
    """`chance_max` is that of a single test, so that all together keep to the limit (Bonferroni)."""

    slices: Sequence[Slice]
    chance_max: float
    confidence: float

    def measure(self, subject: str, subjects: Sequence[str], event: str, relevance: Relevance) -> Measure:
        """Compares all `subjects` together."""
        by_slice = [[_table(each, name, event) for name in subjects] for each in self.slices]
        tables = [table for each in by_slice for table in each]
        judged = _without_the_worst(by_slice) if relevance.in_bursts else tables
        total, chance = _sum(tables), chance_of_excess(judged)
        at_most = difference_at_most(total, confidence=self.confidence)
        verdict = Verdict.UNSURE
        if chance <= self.chance_max and total.difference > relevance.more_max:
            verdict = Verdict.WORSE
        elif at_most <= relevance.more_max:
            verdict = Verdict.NOT_WORSE
        return Measure(subject=subject, event=event, table=total, chance=chance, more_at_most=at_most, verdict=verdict)


def _without_the_worst(by_slice: Sequence[Sequence[Table]]) -> list[Table]:
    """Leaves out the slice with the largest excess of the new release."""
    kept = sorted(by_slice, key=lambda tables: sum(each.excess for each in tables))[:-1]
    return [table for tables in kept for table in tables]


def _table(slice_: Slice, subject: str, event: str) -> Table:
    old_trials, old_events = _counted(slice_.old.get(subject), event)
    new_trials, new_events = _counted(slice_.new.get(subject), event)
    return Table(old_trials=old_trials, old_events=old_events, new_trials=new_trials, new_events=new_events)


def _counted(count: Count | None, event: str) -> tuple[int, int]:
    """Trials and events. Where the event is not counted there are no trials of it either."""
    return (count.trials, count.events[event]) if count and event in count.events else (0, 0)


def _sum(tables: Iterable[Table]) -> Table:
    known = list(tables)
    return Table(
        old_trials=sum(each.old_trials for each in known),
        old_events=sum(each.old_events for each in known),
        new_trials=sum(each.new_trials for each in known),
        new_events=sum(each.new_events for each in known),
    )
