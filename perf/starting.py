"""How long `make run` and an instance of the API take to start, and how much memory the processes have while idle.

    uv run python -m perf.starting [ROUNDS]

The first start makes the databases and is shown apart. Each later start is one with the data of the one before. "To
ready" ends when the system says that it is ready. Then the process of the API is killed with SIGKILL: "API" is the time
from the start of its replacement until it answers through Traefik. Memory is the proportional set size of each part a
few seconds later: pages that processes share are counted once.
"""

import http
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil

from perf.bench_routes import serving_api
from perf.load.sampler import part_of
from perf.stack import Stack, running_stack

ROUNDS = 3
IDLE_SECONDS = 5.0
REPLACED_SECONDS = 60.0
PARTS = frozenset({"API", "worker", "sandbox", "scheduler"})


class Started(NamedTuple):
    """Seconds, and bytes by part; `counts` are the processes of each part."""

    to_ready: float
    api: float
    memory: Mapping[str, int]
    counts: Mapping[str, int]


def replaced_seconds(stack: Stack) -> float:
    """Raises RuntimeError if the API does not answer again."""
    family = serving_api(stack).processes
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=REPLACED_SECONDS)
    deadline = time.monotonic() + REPLACED_SECONDS
    answers = False
    while time.monotonic() < deadline:
        try:
            answers = httpx.get(stack.url).status_code == http.HTTPStatus.OK
        except httpx.HTTPError:
            answers = False
        if answers:
            return time.time() - serving_api(stack).processes[0].create_time()
        time.sleep(0.02)
    raise RuntimeError("the API did not answer again")


def memory(stack: Stack) -> tuple[Mapping[str, int], Mapping[str, int]]:
    held: defaultdict[str, int] = defaultdict(int)
    counts: defaultdict[str, int] = defaultdict(int)
    for child in psutil.Process(stack.supervisor).children(recursive=True):
        part = part_of(child)
        if part in PARTS:
            held[part] += child.memory_full_info().pss
            counts[part] += 1
    return held, counts


def start(data: Path) -> Started:
    began = time.perf_counter()
    with running_stack(Path(sys.executable), data=data) as stack:
        to_ready = time.perf_counter() - began
        api = replaced_seconds(stack)
        time.sleep(IDLE_SECONDS)
        held, counts = memory(stack)
        return Started(to_ready, api, held, counts)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory(prefix="upschedule-perf-") as folder:
        first, *later = [start(Path(folder)) for _ in range(rounds + 1)]
    print(
        f"to ready: {first.to_ready:.1f} s the first time, {statistics.median(x.to_ready for x in later):.1f} s later"
    )
    print(f"API: {statistics.median(x.api for x in later):.1f} s")
    for part in sorted(later[0].memory):
        megabytes = statistics.median(x.memory[part] for x in later) / 1e6
        print(f"{part}: {megabytes:.0f} MB in {later[0].counts[part]} processes")


if __name__ == "__main__":
    main()
