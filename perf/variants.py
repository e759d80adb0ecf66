"""Measures how many variants of schedules are handled right, by kind.

Run: `python -m perf.variants [SEEDS]`. Each seed makes one schedule and changes it in every way that
`tests/support/documents/variants` knows. The goal: at least 99 %, and no event that the schedule does not have.
"""

import sys

from tests.support.documents import variants
from tests.support.documents.variant_checks import try_refused, try_safe, try_same

SEEDS = 11
GOAL = 0.99


def main() -> int:
    """Print a row a kind; 1 if one of them is below 99 %."""
    seeds = range(int(sys.argv[1]) if sys.argv[1:] else SEEDS)
    right = tried = 0
    for expected, names, attempt in (
        ("exact", variants.SAME, try_same),
        ("safe", variants.SAFE, try_safe),
        ("refused", variants.REFUSED, try_refused),
    ):
        for name in names:
            outcomes = [attempt(name, seed) for seed in seeds]
            good = sum(outcome.is_right for outcome in outcomes)
            right, tried = right + good, tried + len(outcomes)
            print(f"{name.replace('_', ' '):32}{expected:9}{good:4} of {len(outcomes)}")
            for seed, outcome in zip(seeds, outcomes, strict=True):
                if not outcome.is_right:
                    print(f"    seed {seed}: {outcome.what[:150]}")
    print(f"{right} of {tried} right")
    return int(right < tried * GOAL)


if __name__ == "__main__":
    sys.exit(main())
