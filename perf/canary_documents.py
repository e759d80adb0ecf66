"""Measures how many documents a worker's canary reads until the comparison finds a fault, by simulation.

    uv run python -m perf.canary_documents                # 200 gates of each kind
    uv run python -m perf.canary_documents --gates 1000

A third of the documents goes to the canary. One in three each is of lectures, tests and exams, and the reader refuses
one in twenty. The gate looks 45 times, after each ten documents of the canary.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from random import Random

from upschedule.deploy.comparison.documents import (
    DocumentLimits,
    DocumentSnapshot,
    compare_documents,
    period,
    snapshot_of,
)
from upschedule.deploy.probe.metrics import Sample

LOOKS, STEP = 45, 10
LAYOUTS = ("lectures", "tests", "exams")
BOUNDS = range(61)
#: Layout, outcome, and number of events.
Reading = tuple[str, str, int]
Change = Callable[[Reading], Reading]


def good(reading: Reading) -> Reading:
    return reading


def refusing_exams(reading: Reading) -> Reading:
    return ("unknown", "reading-failed", 0) if reading[0] == "exams" else reading


def without_the_first_exam(reading: Reading) -> Reading:
    layout, outcome, events = reading
    return (layout, outcome, events - 1) if layout == "exams" else reading


def without_half_of_the_exams(reading: Reading) -> Reading:
    layout, outcome, events = reading
    return (layout, outcome, events // 2) if layout == "exams" else reading


#: Name, change, and by how much the documents of a layout differ in their number of events (8 on average).
KINDS: tuple[tuple[str, Change, int], ...] = (
    ("as good as the old one", good, 4),
    ("refuses exams", refusing_exams, 4),
    ("half of the exams, 4 to 12 in a document", without_half_of_the_exams, 4),
    ("first exam, 8 in each document", without_the_first_exam, 0),
    ("first exam, 7 to 9 in a document", without_the_first_exam, 1),
    ("first exam, 4 to 12 in a document", without_the_first_exam, 4),
)


def gate(rng: Random, change: Change, spread: int) -> int | None:
    """The number of the canary's documents after which it is called worse; None if it never is."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    limits, before = DocumentLimits(), DocumentSnapshot(counters={})
    for number in range(1, LOOKS * STEP + 1):
        for allocation in ("old", "old", "canary"):
            read = ("unknown", "not-a-schedule", 0)
            if rng.random() >= 1 / 20:
                read = (rng.choice(LAYOUTS), "read", 8 + rng.randint(-spread, spread))
            _count(counts, allocation, change(read) if allocation == "canary" else read)
        if number % STEP == 0:
            both = period(before, snapshot_of(map(_sample, counts.items())), canaries={"canary"})
            if compare_documents(both, limits, looks=LOOKS).worse:
                return number
    return None


def _count(counts: Counter[tuple[str, str, str, str]], allocation: str, reading: Reading) -> None:
    layout, outcome, events = reading
    counts[allocation, layout, outcome, ""] += 1
    if outcome == "read":
        for bound in BOUNDS[events:]:
            counts[allocation, layout, "", f"{bound}"] += 1
        counts[allocation, layout, "", "+Inf"] += 1


def _sample(counted: tuple[tuple[str, str, str, str], int]) -> Sample:
    (allocation, layout, outcome, bound), count = counted
    labels = {"alloc": allocation, "layout": layout, "outcome": outcome, "le": bound}
    return Sample(metric=labels, value=(0.0, str(count)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gates", type=int, default=200)
    options = parser.parse_args()
    print(f"{'release':42} {'worse':>7}   documents of the canary: median, most")
    for name, change, spread in KINDS:
        rng = Random(name)  # noqa: S311 - varied, not secret
        found = sorted(number for _ in range(options.gates) if (number := gate(rng, change, spread)) is not None)
        documents = f"{found[len(found) // 2]}, {found[-1]}" if found else "-"
        print(f"{name:42} {len(found) / options.gates:7.1%}   {documents}", flush=True)


if __name__ == "__main__":
    main()
