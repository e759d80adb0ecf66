"""Measures how often the comparison of a canary with the old release is right, over simulated traffic.

    uv run python -m perf.canary_comparison                 # 200 gates of each kind
    uv run python -m perf.canary_comparison --gates 1000

Each gate looks every ten seconds, with shares of 5, 20 and 50 % in turn, and ends as `upschedule deploy gate` does.
"""

import argparse
from collections import Counter

from tests.support.compared_traffic import BOUNDS, Change, Traffic, delaying, failing, good, slower
from upschedule.deploy.comparison.rules import ComparisonLimits
from upschedule.deploy.comparison.traffic import Slice
from upschedule.deploy.comparison.verdict import Verdict, compare

LOOKS = 30
SHARES = (0.05,) * 6 + (0.2,) * 6 + (0.5,) * 18
#: What must be found, and what must not be.
KINDS: dict[str, Change] = {
    "as good as the old one": good,
    "10 % slower throughout": slower(1.1),
    "delays 1 request in 22 by 3 s": delaying(22, 3.0),
    "delays 1 request in 10 by 0.7 s": delaying(10, 0.7),
    "fails 1 request in 25": failing(25),
    "fails every upload": failing(1, "POST /api/v1/uploads"),
    "three times as slow": slower(3.0),
}


def gate(traffic: Traffic, limits: ComparisonLimits) -> tuple[Verdict, int]:
    """The verdict, and after how many slices of ten seconds."""
    seen: list[Slice] = []
    for each in traffic.slices(LOOKS):
        seen.append(each)
        verdict = compare(seen, limits.events(), limits.sureness(looks=LOOKS)).verdict
        last_share = len(seen) > SHARES.index(SHARES[-1])
        if verdict is Verdict.WORSE or (verdict is Verdict.NOT_WORSE and last_share):
            return verdict, len(seen)
    return Verdict.UNSURE, len(seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gates", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=20.0)
    options = parser.parse_args()
    limits = ComparisonLimits(slower_than_seconds=BOUNDS)
    print(f"{'release':34} {'worse':>7} {'unsure':>7} {'not worse':>9}   seconds to the verdict: median, most")
    for name, change in KINDS.items():
        verdicts: Counter[Verdict] = Counter()
        seconds: list[int] = []
        for seed in range(options.gates):
            traffic = Traffic(change=change, seed=seed, shares=SHARES, per_second=options.per_second)
            verdict, slices = gate(traffic, limits)
            verdicts[verdict] += 1
            seconds.append(10 * slices)
        counts = [verdicts[each] / options.gates for each in (Verdict.WORSE, Verdict.UNSURE, Verdict.NOT_WORSE)]
        middle = sorted(seconds)[len(seconds) // 2]
        print(f"{name:34} {counts[0]:7.1%} {counts[1]:7.1%} {counts[2]:9.1%}   {middle}, {max(seconds)}")


if __name__ == "__main__":
    main()
