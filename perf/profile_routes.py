"""Shows what a request of a route spends its processor time on, by part of the program.

    uv run python -m perf.profile_routes            # every route of perf/bench_routes.py
    uv run python -m perf.profile_routes status --requests 20000

py-spy samples the API's process while it answers. A sample counts for the innermost part that it is in: what the
standard library does counts for its caller, so "log line" includes the JSON encoder that it calls. "server" is all
that runs outside the application: the event loop, granian, and the tasks of connection pools.
"""

import argparse
import asyncio
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from perf.bench_routes import Route, Server, ask, prepared, serving_api
from perf.load.target import RAISED_LIMITS
from perf.stack import running_stack

SAMPLES_A_SECOND = 500
STOP_SECONDS = 30.0
PY_SPY = Path(sysconfig.get_path("scripts")) / "py-spy"
ENTRY = "Boundary.__call__"
SERVER = "server"
#: The part that a frame's file belongs to, by the first pattern that is found in it.
PARTS: Mapping[str, str] = {
    r"^structlog/|^logging/|^upschedule/logging": "log line",
    r"^prometheus_client/|^upschedule/metrics": "metrics",
    r"^redis/|^upschedule/stores/(redis|cancelling|windows)": "Redis client",
    r"^psycopg": "PostgreSQL client",
    r"^anyio/|^litestar/_kwargs|^litestar/di\b|^upschedule/web/http/dependencies": "dependency injection",
    r"^litestar/": "framework",
    r"^msgspec/|^jinja2/|^markupsafe/": "rendering",
    r"^upschedule/web/http/(boundary|body|exchange)|^upschedule/spent_time": "boundary",
    r"^upschedule/web/http/|^upschedule/accounts": "limits, sessions and checks",
    r"^upschedule/": "the handler and its services",
}


def part_of(frames: list[str]) -> str:
    """The part of the innermost frame of the application that has one; `frames` begins with the outermost."""
    entered = next((number for number, frame in enumerate(frames) if frame.startswith(ENTRY)), None)
    if entered is None:
        return SERVER
    for frame in reversed(frames[entered:]):
        file = re.sub(r"^.*\(|(:\d+)?\)$", "", frame)
        for pattern, part in PARTS.items():
            if re.search(pattern, file):
                return part
    return SERVER


def shares(recorded: str) -> dict[str, float]:
    """The share of each part, largest first.

    The input is py-spy's raw format: frames separated by semicolons, and the number of samples.
    """
    counted: Counter[str] = Counter()
    for line in recorded.splitlines():
        stack, _, samples = line.rpartition(" ")
        counted[part_of(stack.split(";"))] += int(samples)
    total = counted.total()
    return {part: samples / total for part, samples in counted.most_common()} if total else {}


@contextmanager
def _recording(pid: int, file: Path) -> Iterator[None]:
    """The block's samples are in `file` when it has ended. Raises RuntimeError if py-spy has failed."""
    command = [PY_SPY, "record", "--pid", str(pid), "--rate", str(SAMPLES_A_SECOND), "--format", "raw", "--gil"]
    process = subprocess.Popen(
        [*command, "--duration", "unlimited", "--output", file],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=STOP_SECONDS)
    if not file.exists():
        raise RuntimeError(f"py-spy recorded nothing: {errors.strip()}")


def _profiled(server: Server, route: Route, requests: int) -> tuple[dict[str, float], float]:
    """The shares by part, and the processor time of one request in seconds, without py-spy."""
    count = requests * route.times
    asyncio.run(ask(server.url, route, count // 10))
    before = server.spent_seconds()
    asyncio.run(ask(server.url, route, count))
    cost = (server.spent_seconds() - before) / count
    busiest = max(server.processes, key=lambda process: sum(process.cpu_times()[:2]))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "samples.txt"
        with _recording(busiest.pid, file):
            asyncio.run(ask(server.url, route, count))
        return shares(file.read_text(encoding="utf-8")), cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("routes", nargs="*", help="names as perf/bench_routes.py prints them; without one, all")
    parser.add_argument("--requests", type=int, default=4000, help="of each route")
    options = parser.parse_args()
    with running_stack(Path(sys.executable), RAISED_LIMITS) as stack:
        known = {route.name: route for route in prepared(stack.url)}
        if unknown := sorted(set(options.routes) - set(known)):
            parser.error(f"no route is named {', '.join(unknown)}; known: {', '.join(known)}")
        server = serving_api(stack)
        for name in options.routes or known:
            found, cost = _profiled(server, known[name], options.requests)
            print(f"\n{name}: {cost * 1e6:.0f} us of processor time a request")
            for part, share in found.items():
                print(f"  {part:<30}{share:>7.1%}{share * cost * 1e6:>9.0f} us")


if __name__ == "__main__":
    main()
