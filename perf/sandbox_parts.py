"""What the sandboxed reading of one document spends its processor time on, step by step.

    uv run python -m perf.sandbox_parts [ROUNDS]

A process prepares itself as the zygote does, and forks a child for each round. A child does the first steps of a real
child, up to a certain one, and ends. The difference between two rows is the cost of a step: processor time of the
child, pages that the kernel copied or mapped for it, and processor time of the process that forks. The last rows read
the document without the warm-up, and in this process. All figures are medians, and the steps take turns, since other
programs share the machine.
"""

import gc
import os
import resource
import statistics
import sys
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import msgspec

from tests.support.documents.generate import print_schedule
from tests.support.documents.schedules import KINDS
from upschedule.pdf import reader
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox.child import DESCRIPTORS_MAX
from upschedule.pdf.sandbox.limits import SandboxLimits
from upschedule.pdf.sandbox.lockdown import drop_privileges, lock_down, prepare
from upschedule.pdf.sandbox.warm_up import warm_up

ROUNDS = 200
ROWS = 5
#: A child that skips the warm-up: each document would then wait for the copies of pages that the warm-up makes.
COLD = "all but the warm-up"
LIMITS = ReadingLimits()


class Cost(NamedTuple):
    child_seconds: float
    faults: int
    parent_seconds: float


def own_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def forked(work: Callable[[], object]) -> Cost:
    """Raises RuntimeError if the child failed."""
    before = own_seconds()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    spent = own_seconds() - before
    _, status, usage = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"a child ended with status {status}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_minflt, spent)


def steps(data: bytes, answers: int) -> dict[str, Callable[[], object]]:
    """The steps by name. Each is what a child does up to and including this step."""
    refused = frozenset(prepare())
    drop_privileges()
    parent = os.getpid()

    def close() -> None:
        os.closerange(3, answers)
        os.closerange(answers + 1, DESCRIPTORS_MAX)

    def warmed() -> None:
        close()
        warm_up(LIMITS)

    def locked() -> None:
        warmed()
        lock_down(SandboxLimits(), refused, parent=parent)

    def read_cold() -> None:
        close()
        lock_down(SandboxLimits(), refused, parent=parent)
        answer()

    def read() -> None:
        locked()
        answer()

    def answer() -> None:
        result = reader.read(data, limits=LIMITS, progress=lambda _done, _total: None)
        os.write(answers, msgspec.json.encode(result))

    return {
        "fork and exit": lambda: None,
        "close descriptors": close,
        "warm up": warmed,
        "lock down": locked,
        "read and answer": read,
        COLD: read_cold,
    }


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    data = print_schedule(Random(1), KINDS[0], ROWS).data  # noqa: S311 - invented contents
    warm_up(LIMITS)
    answers = os.open(os.devnull, os.O_WRONLY)
    measured = steps(data, answers)
    gc.collect()
    gc.freeze()
    costs: dict[str, list[Cost]] = {name: [] for name in measured}
    inside: list[float] = []
    for _ in range(rounds):
        for name, work in measured.items():
            costs[name].append(forked(work))
        before = own_seconds()
        msgspec.json.encode(reader.read(data, limits=LIMITS, progress=lambda _done, _total: None))
        inside.append(own_seconds() - before)
    print(f"{'up to this step':<20}{'child':>10}{'this step':>12}{'pages':>8}{'parent':>10}")
    earlier = 0.0
    for name, found in costs.items():
        child = statistics.median(cost.child_seconds for cost in found) * 1e3
        pages = statistics.median(cost.faults for cost in found)
        parent = statistics.median(cost.parent_seconds for cost in found) * 1e3
        step = "" if name == COLD else f"{child - earlier:.2f} ms"
        print(f"{name:<20}{child:>7.2f} ms{step:>12}{pages:>8.0f}{parent:>7.2f} ms")
        earlier = child
    print(f"{'without a sandbox':<20}{statistics.median(inside) * 1e3:>7.2f} ms")


if __name__ == "__main__":
    main()
