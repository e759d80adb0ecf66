"""Measures the cost of the sandbox: reads each document in this process and in a sandbox, alternately.

Goal: at most 10 ms a document once warm, as the median (decision 3). Run: `python -m perf.sandbox [ROUNDS]`.
On a machine that does other work, `chrt -f 10` before it (as root) keeps that out of the figures.
"""

import asyncio
import platform
import statistics
import sys
import time
from random import Random

import msgspec
import pymupdf

from tests.support.documents.generate import Printed, print_schedule
from tests.support.documents.schedules import KINDS
from upschedule.pdf import reader
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox import Sandbox, SandboxLimits

GOAL_MS = 10.0
ROUNDS = 50


def with_pages(pages: int) -> Printed:
    """Print a lecture schedule that long."""
    for rows in range(1, 2000):
        printed = print_schedule(Random(1), KINDS[0], rows)  # noqa: S311 -- invented contents
        if printed.pages == pages:
            return printed
    raise ValueError(f"no schedule has {pages} pages")


def hear_nothing(_done: int, _total: int) -> None:
    """Take progress and do nothing with it."""


async def compare(sandbox: Sandbox, limits: ReadingLimits, data: bytes, rounds: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of readings in this process, and in the sandbox."""
    inside: list[float] = []
    outside: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        expected = reader.read(data, limits=limits, progress=hear_nothing)
        middle = time.perf_counter()
        got = await sandbox.read(data, deadline_seconds=60, on_progress=hear_nothing)
        end = time.perf_counter()
        assert got == expected
        outside.append((middle - start) * 1e3)
        inside.append((end - middle) * 1e3)
    return outside, inside


async def main() -> int:
    """Print the table; exit code 1 when a goal is missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    limits = ReadingLimits()
    print(f"Python {platform.python_version()}, PyMuPDF {pymupdf.VersionBind}, msgspec {msgspec.__version__}, ", end="")
    print(f"Linux {platform.release()} {platform.machine()}, median of {rounds} readings")
    print(f"{'pages':>5} {'bytes':>7} {'statistic':>9} {'in process':>13} {'sandboxed':>13} {'ratio':>6} {'added':>10}")
    missed = False
    async with Sandbox(limits=SandboxLimits(), reading=limits) as sandbox:
        print(f"protections refused by this host: {', '.join(sorted(sandbox.refused)) or 'none'}")
        for pages in (1, 10):
            data = with_pages(pages).data
            outside, inside = await compare(sandbox, limits, data, rounds)
            # The fastest tells the cost when other programs disturb the median.
            for name, statistic in (("fastest", min), ("median", statistics.median)):
                plain, boxed = statistic(outside), statistic(inside)
                added = boxed - plain
                print(f"{pages:5} {len(data):7} {name:>9} {plain:10.1f} ms {boxed:10.1f} ms ", end="")
                print(f"{boxed / plain:6.2f} {added:7.1f} ms")
            missed |= added > GOAL_MS
    print(f"goal, at most {GOAL_MS:.0f} ms added: {'missed' if missed else 'met'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
