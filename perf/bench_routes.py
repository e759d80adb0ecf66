"""What a request of each route costs the API, beside bare routes of the same framework and server.

    uv run python -m perf.bench_routes
    uv run python -m perf.bench_routes --rounds 9 --requests 2000
    uv run python -m perf.bench_routes --guard     # as CI does: compares with perf/route_ratios.json
    uv run python -m perf.bench_routes --keep      # replaces that file

The measure is the processor time of the server process for one request, which another program on the machine hardly
changes; routes take turns, and each figure is a median over the rounds. A ratio of 0.5 says that the route costs twice
what its bare counterpart costs. Exit code 1: an answer had another status than it must have, or with `--guard`, a
ratio is more than 1.5 times worse than the one in the file.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec
import psutil

from perf.load.target import RAISED_LIMITS
from perf.stack import Stack, running_stack
from tests.support.documents.generate import document, schedule_of
from tests.support.documents.schedules import EXAMS
from upschedule.operations.embedded.ports import LOOPBACK, free_port

CONNECTIONS = 32
ANSWER_SECONDS = 30.0
READY_SECONDS = 30.0
#: The ratios that were measured when the file was committed; the bound of the guard leaves room for other machines.
RATIOS = Path(__file__).with_name("route_ratios.json")
WORSE_MAX = 1.5


class Route(NamedTuple):
    """`headers` are those of the request; `expected` is the status of every answer.

    A cheap route is asked `times` as often: the kernel counts processor time in hundredths of a second.
    """

    name: str
    path: str
    headers: Mapping[str, str] = {}
    expected: int = 200
    times: int = 1


class Comparison(NamedTuple):
    """The goal: `route` reaches `ratio` of the requests for each second of processor time that `bare` reaches."""

    route: str
    bare: str
    ratio: float


COMPARISONS = (
    Comparison("live", "nothing", 0.5),
    Comparison("status", "pipeline", 0.5),
    Comparison("feed unchanged", "one", 0.4),
    Comparison("feed", "one", 0.1),
    Comparison("timetable", "pipeline", 0.2),
    Comparison("page of two documents", "pipeline", 0.1),
)


@dataclass
class Measured:
    """One value a round: processor time for one request, and requests a second."""

    cost_seconds: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])


class Server(NamedTuple):
    """The processes that answer at `url`."""

    url: str
    processes: Sequence[psutil.Process]

    def spent_seconds(self) -> float:
        """Processor time of all of them so far, of the kernel on their behalf included."""
        times = [process.cpu_times() for process in self.processes]
        return sum(time.user + time.system for time in times)


@contextmanager
def bare_server(redis_url: str) -> Iterator[Server]:
    """`perf/bare_app.py` on the same server program, in one process as the API is."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "perf.bare_app:application"]
    process = subprocess.Popen(
        [*command, "--host", LOOPBACK, "--port", str(port), "--no-ws", "--log-level", "critical"],
        env={**os.environ, "BARE_REDIS": redis_url},
    )
    url = f"http://{LOOPBACK}:{port}"
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(f"{url}/nothing"):
            if time.monotonic() > deadline:
                raise RuntimeError("the bare server did not become ready")
            time.sleep(0.1)
        yield Server(url, _family(process.pid))
    finally:
        process.terminate()
        process.wait(READY_SECONDS)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.HTTPError:
        return False


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def serving_api(stack: Stack) -> Server:
    children = psutil.Process(stack.supervisor).children(recursive=True)
    serving = [child.pid for child in children if "serve" in child.cmdline()]
    return Server(stack.url, _family(min(serving)))


def prepared(url: str) -> list[Route]:
    """Uploads two documents of one visitor, waits for them and makes a calendar; returns what is asked then."""
    with httpx.Client(base_url=url, timeout=ANSWER_SECONDS) as client:
        jobs = [_finished(client, schedule_of(1, EXAMS, rows=20).data), _finished(client, document(2).data)]
        made = client.post("/api/v1/calendars", json={"jobs": jobs[:1]}).raise_for_status().json()
        feed = urlsplit(made["feed_url"])
        path = f"{feed.path}?{feed.query}" if feed.query else feed.path
        tag = client.get(path).raise_for_status().headers["ETag"]
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    return [
        Route("live", "/health/live", times=5),
        Route("status", f"/api/v1/jobs/{jobs[0]}", cookie),
        Route("timetable", f"/api/v1/jobs/{jobs[0]}/timetable", cookie),
        Route("feed unchanged", path, {"If-None-Match": tag}, 304),
        Route("feed", path),
        Route("page of two documents", "/", cookie),
    ]


def _finished(client: httpx.Client, data: bytes) -> str:
    answer = client.post("/api/v1/uploads", files={"file": ("schedule.pdf", data, "application/pdf")})
    job: str = answer.raise_for_status().json()["id"]
    deadline = time.monotonic() + READY_SECONDS
    while client.get(f"/api/v1/jobs/{job}").raise_for_status().json()["status"] != "completed":
        if time.monotonic() > deadline:
            raise RuntimeError("the document was not read")
        time.sleep(0.1)
    return job


async def ask(url: str, route: Route, requests: int) -> int:
    """Sends `requests` over all connections; returns how many answers had another status than expected."""
    address = urlsplit(url)
    lines = [f"GET {route.path} HTTP/1.1", f"Host: {address.netloc}"]
    lines += [f"{name}: {value}" for name, value in route.headers.items()]
    request = "\r\n".join([*lines, "", ""]).encode()
    left = iter(range(requests))
    wrong = 0

    async def client() -> None:
        nonlocal wrong
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for _ in left:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if length:
                await reader.readexactly(int(length[1]))
            elif b"chunked" in head.lower():
                while (size := int(await reader.readline(), 16)) > 0:
                    await reader.readexactly(size + 2)
                await reader.readline()
            wrong += int(head.split(b" ", 2)[1]) != route.expected
        writer.close()

    async with asyncio.timeout(ANSWER_SECONDS + requests / 10):
        await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return wrong


def _measure(servers: Sequence[tuple[Server, Sequence[Route]]], *, rounds: int, requests: int) -> dict[str, Measured]:
    """Raises RuntimeError for an answer with another status than expected. The first round is not counted."""
    figures: dict[str, Measured] = {}
    for number in range(rounds + 1):
        for server, routes in servers:
            for route in routes:
                spent, began = server.spent_seconds(), time.perf_counter()
                count = requests * route.times
                wrong = asyncio.run(ask(server.url, route, count))
                if wrong:
                    raise RuntimeError(f"{wrong} of {count} answers of {route.name} had another status")
                if number:
                    measured = figures.setdefault(route.name, Measured())
                    measured.cost_seconds.append((server.spent_seconds() - spent) / count)
                    measured.rates.append(count / (time.perf_counter() - began))
    return figures


def _costs(figures: Mapping[str, Measured]) -> dict[str, float]:
    return {name: statistics.median(measured.cost_seconds) for name, measured in figures.items()}


def ratios(costs: Mapping[str, float]) -> dict[str, float]:
    """For each comparison, how many requests the route answers while its bare counterpart answers one."""
    return {each.route: costs[each.bare] / costs[each.route] for each in COMPARISONS if each.route in costs}


def worse(found: Mapping[str, float], committed: Mapping[str, float]) -> list[str]:
    """A sentence for each route that has become too slow, or that has no committed ratio."""
    sentences: list[str] = []
    for route, ratio in found.items():
        if route not in committed:
            sentences.append(f"{route} has no ratio in {RATIOS.name}: run `python -m perf.bench_routes --keep`.")
        elif ratio * WORSE_MAX < committed[route]:
            sentences.append(f"{route} reaches {ratio:.3f} of its bare route; {committed[route]:.3f} were committed.")
    return sentences


def _print(figures: Mapping[str, Measured]) -> None:
    costs = _costs(figures)
    found = ratios(costs)
    print(f"{'route':<24}{'processor time':>16}{'requests a second':>20}")
    for name, measured in figures.items():
        print(f"{name:<24}{costs[name] * 1e6:>13.0f} us{statistics.median(measured.rates):>20.0f}")
    print(f"\n{'route':<24}{'beside':<12}{'ratio':>7}{'goal':>7}")
    for comparison in COMPARISONS:
        if comparison.route in found:
            print(f"{comparison.route:<24}{comparison.bare:<12}{found[comparison.route]:>7.2f}{comparison.ratio:>7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1000, help="of each route in each round")
    parser.add_argument("--guard", action="store_true", help="fail where a route has become too slow")
    parser.add_argument("--keep", action="store_true", help="write the ratios that the guard compares with")
    options = parser.parse_args()
    with running_stack(Path(sys.executable), RAISED_LIMITS) as stack, bare_server(stack.cache_url()) as bare:
        asked = prepared(stack.url)
        bares = [Route(name, f"/{name}", times=5) for name in ("nothing", "one", "pipeline", "four")]
        try:
            figures = _measure(
                [(bare, bares), (serving_api(stack), asked)],
                rounds=options.rounds,
                requests=options.requests,
            )
        except RuntimeError as error:
            sys.exit(f"{error}")
        _print(figures)
    found = ratios(_costs(figures))
    if options.keep:
        rounded = {route: round(ratio, 3) for route, ratio in found.items()}
        RATIOS.write_bytes(msgspec.json.format(msgspec.json.encode(rounded)) + b"\n")
    if options.guard and (sentences := worse(found, msgspec.json.decode(RATIOS.read_bytes(), type=dict[str, float]))):
        sys.exit("\n".join(sentences))


if __name__ == "__main__":
    main()
