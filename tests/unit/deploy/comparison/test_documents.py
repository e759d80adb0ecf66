"""Comparison of a canary worker's documents with those of the old release's workers, by layout (issue 11, R12.2)."""

from collections.abc import Iterable
from random import Random

import pytest

from upschedule.deploy.comparison.document_report import (
    describe_document_measure,
    describe_documents,
    figures,
    lines,
)
from upschedule.deploy.comparison.documents import (
    DocumentComparison,
    DocumentLimits,
    DocumentPeriod,
    DocumentSnapshot,
    compare_documents,
    period,
    snapshot_of,
)
from upschedule.deploy.comparison.verdict import Verdict
from upschedule.deploy.probe.metrics import Sample

LOOKS = 45
BOUNDS = (5, 6, 7, 8, 9, 10)
#: Layout, outcome, and number of events.
Reading = tuple[str, str, int]
EXAM, LECTURES, REFUSED = ("exams", "read", 8), ("lectures", "read", 8), ("unknown", "not-a-schedule", 0)


def worker(allocation: str, readings: Iterable[Reading], *, counts_events: bool = True) -> list[Sample]:
    """The metrics of a worker after these readings."""
    found: list[Sample] = []

    def add(name: str, value: float, **labels: str) -> None:
        found.append(Sample(metric={"__name__": name, "alloc": allocation, **labels}, value=(0.0, str(value))))

    known = list(readings)
    for layout, outcome in {(layout, outcome) for layout, outcome, _ in known}:
        count = sum(each[:2] == (layout, outcome) for each in known)
        add("upschedule_readings_total", count, layout=layout, outcome=outcome)
    for layout in {each[0] for each in known if each[0] != "unknown"} if counts_events else ():
        events = [each[2] for each in known if each[0] == layout]
        for bound in BOUNDS:
            count = sum(each <= bound for each in events)
            add("upschedule_events_read_bucket", count, layout=layout, le=f"{bound}.0")
        add("upschedule_events_read_bucket", len(events), layout=layout, le="+Inf")
        add("upschedule_events_read_sum", sum(events), layout=layout)
    return found


def at(*workers: list[Sample]) -> DocumentSnapshot:
    return snapshot_of(sample for each in workers for sample in each)


def between(old: Iterable[Reading], new: Iterable[Reading]) -> DocumentPeriod:
    return period(at(), at(worker("old", old), worker("canary", new)), canaries={"canary"})


def compared(both: DocumentPeriod) -> DocumentComparison:
    return compare_documents(both, DocumentLimits(), looks=LOOKS)


def findings(comparison: DocumentComparison) -> list[str]:
    return [describe_document_measure(each) for each in comparison.worse]


def test_a_layout_that_the_canary_refuses_is_named_with_its_figures() -> None:
    """A refused document has no layout, so the comparison shows that documents of a layout are missing."""
    both = between([EXAM, LECTURES] * 100, [REFUSED, LECTURES] * 40)
    comparison = compared(both)
    assert comparison.verdict is Verdict.WORSE
    found = findings(comparison)
    assert found[1].startswith("refused as `not-a-schedule` 40 of 80 against 0 of 200 documents, by chance once in")
    assert found[1].endswith("; most of all exams: read 0 of 80 against 100 of 200 documents")
    assert "exams: refused, or not read as such, are 80 of 80 against 100 of 200 documents" in found[2]
    assert not any("lectures" in each for each in found)


def test_one_event_fewer_in_each_document_of_a_layout_is_found() -> None:
    """Students of a semester have about the same number of exams each. Lectures are read as before."""
    both = between([EXAM, LECTURES] * 100, [("exams", "read", 7), LECTURES] * 40)
    (found,) = findings(compared(both))
    assert found.startswith("exams: at most 7 events in 40 of 40 against 0 of 100 documents, by chance once in")


def test_a_canary_that_warns_of_more_documents_is_found() -> None:
    (found,) = findings(compared(between([EXAM] * 100, [("exams", "warned", 8)] * 40)))
    assert found.startswith("exams: warned 40 of 40 against 0 of 100 documents")


def test_an_equally_good_canary_is_not_worse_and_the_verdict_says_how_sure_it_is() -> None:
    both = between([EXAM, LECTURES, REFUSED] * 100, [EXAM, LECTURES, REFUSED] * 100)
    few = between([EXAM] * 20, [EXAM] * 3)
    assert compared(between([EXAM, LECTURES] * 100, [EXAM, LECTURES] * 100)).verdict is Verdict.NOT_WORSE
    # Both releases refuse a third of the documents, so certainty needs more of them.
    assert compared(both).verdict is Verdict.UNSURE
    assert describe_documents(compared(few), few) == (
        "not sure after 3 documents beside 20 of the old release: refused at most 64.3% more often"
    )


def test_a_canary_that_recognises_more_is_not_worse() -> None:
    """The canary reads documents that the old release refused or read without entries."""
    old = [("none", "warned", 0), REFUSED, LECTURES] * 60
    assert not compared(between(old, [EXAM, EXAM, LECTURES] * 60)).worse


def test_an_old_release_that_counts_no_events_is_compared_by_what_it_counts() -> None:
    """The old release precedes this comparison and counts no events."""
    before = worker("old", [EXAM] * 100, counts_events=False)
    new = worker("canary", [("exams", "read", 5), ("exams", "read", 9)] * 20)
    assert not compared(period(at(), at(before, new), canaries={"canary"})).worse


def test_only_what_was_read_in_between_counts() -> None:
    """This includes a worker that was restarted, was missing from one scrape, or started later."""
    first = at(worker("old", [EXAM] * 90), worker("canary", [EXAM] * 5))
    second = at(worker("canary", [EXAM])).after(first)
    third = at(worker("old", [EXAM] * 92), worker("late", [EXAM] * 3), worker("canary", [EXAM])).after(second)
    assert period(first, second, canaries={"canary"}).new.documents == 1
    assert period(second, third, canaries={"canary"}).old.documents == 5
    assert period(second, third, canaries={"canary"}).new.documents == 0


def test_too_few_documents_are_not_sure_where_so_many_are_demanded() -> None:
    both = between([EXAM] * 500, [EXAM] * 200)
    assert compare_documents(both, DocumentLimits(documents_min=200), looks=LOOKS).verdict is Verdict.NOT_WORSE
    assert compare_documents(both, DocumentLimits(documents_min=201), looks=LOOKS).verdict is Verdict.UNSURE


def test_the_table_has_all_documents_together_first() -> None:
    both = between([EXAM, LECTURES, REFUSED], [("exams", "warned", 6), REFUSED])
    found = figures(both)
    assert [each.layout for each in found] == ["all", "exams", "lectures"]
    everything, exams, lectures = found
    assert (everything.old.documents, everything.old.refused, everything.old.events) == (3, 1, 8.0)
    assert (exams.canary.documents, exams.canary.warned, exams.canary.events) == (1, 1, 6.0)
    assert lectures.canary.events is None
    assert len(list(lines(found))) == 1 + 2 * len(found)


@pytest.mark.parametrize("mixture", [(EXAM,), (EXAM, LECTURES, REFUSED), (EXAM, ("exams", "warned", 6), LECTURES)])
def test_equally_good_releases_are_rarely_called_worse(mixture: tuple[Reading, ...]) -> None:
    """The rate covers every look of 100 gates of 300 documents.

    The canary reads a third of them (`false_alarm_max` is 1 %).
    """
    rng = Random(11)  # noqa: S311 - varied, not secret
    alarms = 0
    for _ in range(100):
        old: list[Reading] = []
        new: list[Reading] = []
        for number in range(300):
            layout, outcome, events = rng.choice(mixture)
            side = new if rng.random() < 1 / 3 else old
            side.append((layout, outcome, max(0, events + rng.randint(-3, 3))))
            if number % 30 == 29 and compared(between(old, new)).worse:
                alarms += 1
                break
    assert alarms <= 3
