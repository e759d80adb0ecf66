"""Measures the search for groups that do not clash, beside trying all combinations and a constraint solver.

Run: `.venv/bin/python -m perf.choosing_groups`. Times are processor time, since other programs share the machine; a
comparison with OR-Tools' CP-SAT is printed where it is installed (`uv run --with ortools …`), with one thread and at
most ten seconds, and without wishes, which both know equally well as sums of pairs.
The goals: ten modules with five groups of three kinds, half of them in each semester, in
under 100 ms with the best proven; and at least 50 times as fast as trying all combinations of a smaller schedule.
What cannot fit into one week at all is answered at the limit of time, and not proven: it is printed without a goal.
"""

import importlib.metadata
import platform
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

from tests.support.builders.planning import TRAVEL, Named, clash_weeks, dated, every_combination, random_modules
from upschedule.planning.combinations import propose
from upschedule.planning.costs import Costs
from upschedule.planning.groups import decisions
from upschedule.planning.held import held
from upschedule.planning.search import Limits, Problem
from upschedule.planning.wishes import CLASH_WEEK, Wishes
from upschedule.settings import CalendarSettings

SEEDS = range(12)
GOAL_MS = 100.0
RATIO_MIN = 50.0
DEFAULTS = CalendarSettings()
LIMITS = Limits(
    nodes_max=DEFAULTS.proposal_nodes_max,
    seconds_max=DEFAULTS.proposal_milliseconds_max / 1000,
    count_steps_max=DEFAULTS.proposal_count_steps_max,
)
NO_WISHES = Wishes(few_gaps=False, travel=False)
ALL_WISHES = Wishes(free_days=("Friday",), fewest_days=True, not_before="08:30", one_campus=True)
SOLVER_SECONDS_MAX = 10
SOLVER = "ortools"


def measure(named: Named, wishes: Wishes) -> tuple[float, int, bool]:
    """Milliseconds, weeks with a clash of the best, and whether these are proven to be the fewest."""
    dates = dated(named)
    start = time.process_time()
    found = propose(
        named,
        dates,
        wishes=wishes,
        travel=TRAVEL,
        wanted=DEFAULTS.proposals_max,
        limits=LIMITS,
        clock=time.process_time,
    )
    return (time.process_time() - start) * 1000, found.best[0].qualities.clash_weeks, found.fewest_clashes_proven


def row(title: str, wishes: Wishes, **shape: Any) -> list[tuple[float, int, bool]]:
    """Print a line about this shape for all seeds."""
    found = [measure(random_modules(seed, **shape), wishes) for seed in SEEDS]
    times = sorted(took for took, _, _ in found)
    proven = sum(proven for _, _, proven in found)
    print(f"{title:58}{statistics.median(times):9.0f}{times[-1]:8.0f}{proven:8d} of {len(found)}")
    return found


def brute_force(named: Named) -> float:
    """Seconds that trying all combinations takes."""
    dates: Mapping[str, Any] = dated(named)
    start = time.process_time()
    min(clash_weeks(entries, dates) for entries in every_combination(named))
    return time.process_time() - start


def solver(problem: Problem) -> tuple[float, float, bool]:
    """Milliseconds, cost and whether it is proven, of CP-SAT."""
    from ortools.sat.python import cp_model  # type: ignore # noqa: PLC0415, PGH003 - not a dependency

    start = time.process_time()
    model: Any = cp_model.CpModel()
    chosen = [[model.NewBoolVar("") for _ in values] for values in problem.single]
    for values in chosen:
        model.AddExactlyOne(values)
    terms: list[Any] = []
    for (first, second), rows in problem.pairs.items():
        for a, costs in enumerate(rows):
            for b, cost in enumerate(costs):
                if cost:
                    both = model.NewBoolVar("")
                    model.AddBoolOr([chosen[first][a].Not(), chosen[second][b].Not(), both])
                    terms.append(cost // CLASH_WEEK * both)
    model.Minimize(sum(terms))
    engine: Any = cp_model.CpSolver()
    engine.parameters.num_workers = 1
    engine.parameters.max_time_in_seconds = SOLVER_SECONDS_MAX
    status = engine.Solve(model)
    return (time.process_time() - start) * 1000, engine.ObjectiveValue(), status == cp_model.OPTIMAL


def compare_with_solver() -> None:
    """Print both for each seed; nothing where it is not installed."""
    try:
        version = importlib.metadata.version(SOLVER)
    except importlib.metadata.PackageNotFoundError:
        print(f"{SOLVER} is not installed: no comparison with it")
        return
    print(f"\n{SOLVER} {version} (CP-SAT), the same costs: ms, weeks, proven; and here")
    for seed in SEEDS:
        named = random_modules(seed, modules=10, groups=5)
        dates = dated(named)
        times = {key: held(event, dates[key]) for key, event in named}
        problem = Costs(times, decisions(named), NO_WISHES, TRAVEL).problem()
        took, cost, proven = solver(problem)
        mine, weeks, mine_proven = measure(named, NO_WISHES)
        print(f"{seed:4}{took:9.0f}{cost:6.0f} {proven!s:6}{mine:9.0f}{weeks:6d} {mine_proven}")


def main() -> int:
    """Print a row a shape; 1 if a goal is missed."""
    print(f"Python {platform.python_version()}; {len(SEEDS)} schedules each; python {' '.join(sys.argv)}")
    print(f"{'modules x groups x kinds':58}{'median ms':>9}{'most ms':>8}{'proven':>14}")
    goal = row("10 x 5 x 3, five a semester, clashes", NO_WISHES, modules=10, groups=5)
    row("10 x 5 x 3, five a semester, usual wishes", Wishes(), modules=10, groups=5)
    row("10 x 5 x 3, five a semester, all wishes", ALL_WISHES, modules=10, groups=5)
    row("5 x 3 x 3, usual wishes", Wishes(), modules=5, groups=3, offered=("S1",))
    row("6 x 5 x 3 in one semester, clashes", NO_WISHES, modules=6, groups=5, offered=("S1",))
    row("10 x 5 x 3 in one semester: 75 hours a week", NO_WISHES, modules=10, groups=5, offered=("S1",))
    small = random_modules(1, modules=2, groups=4, offered=("S1",))
    slow, fast = brute_force(small), measure(small, NO_WISHES)[0] / 1000
    ratio = slow / fast
    print(f"2 x 4 x 3, all 4,096 combinations tried: {slow * 1000:.0f} ms, {ratio:.0f} times as long")
    compare_with_solver()
    median = statistics.median(took for took, _, _ in goal)
    missed = median > GOAL_MS or sum(proven for _, _, proven in goal) < len(goal) / 2 or ratio < RATIO_MIN
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
