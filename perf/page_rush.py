"""Many people who open the page within one minute, each from an address of their own, through Traefik.

    uv run python -m perf.page_rush                      # 10,000 people within 60 s
    uv run python -m perf.page_rush --people 1000 --seconds 6

It runs twice, on a system of its own with one API process: with the limits of production (R5.4), and with raised ones.
A person opens a connection, asks for the page and for the files that it names, as a browser does that has never been
here. A person who is refused with a time to retry comes again after that time and up to three seconds more. Times are
counted from the moment at which a person meant to come, so that a service that is late cannot make them look short.
Exit code 1: an answer was neither right nor a refusal with a time to retry, or a person had no page at the end.
"""

import argparse
import asyncio
import random
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from perf.load.sampler import Job as Watched
from perf.load.sampler import Spent, uses
from perf.load.target import RAISED_LIMITS
from perf.many_streams import percentile, source_address
from perf.stack import Stack, running_stack

ANSWER_SECONDS = 60.0
#: After the last person came; by the limit alone, 10,000 people need 100 s.
WAIT_SECONDS = 240.0
RELOAD_SECONDS = 3.0
REFUSALS = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
FILE = re.compile(rb'(?:src|href)="(/static/[^"]+\.(?:css|js))"')


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Seen:
    """The seconds until each person had the page and its files, the statuses of all answers for pages, and faults."""

    served: list[float] = field(default_factory=list[float])
    at_once: list[float] = field(default_factory=list[float])
    last_served_at: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter[int])
    files: int = 0
    faults: list[str] = field(default_factory=list[str])


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str) -> Answer:
    """Raises OSError, TimeoutError or IncompleteReadError."""
    async with asyncio.timeout(ANSWER_SECONDS):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html,*/*\r\n\r\n".encode())
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        else:
            body = b""
            while (size := int(await reader.readline(), 16)) > 0:
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        return Answer(int(first.split(" ", 2)[1]), headers, body)


async def visit(url: str, number: int, seen: Seen) -> float | None:
    """None: the page and its files came, and they were right. Otherwise the seconds after which to come again."""
    address = urlsplit(url)
    local = (source_address(number), 0)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, local_addr=local)
    try:
        page = await answer(reader, writer, address.netloc, "/")
        seen.statuses[page.status] += 1
        if page.status in REFUSALS and "retry-after" in page.headers:
            return float(page.headers["retry-after"])
        if page.status != HTTPStatus.OK or not page.body.rstrip().endswith(b"</html>"):
            seen.faults.append(f"a page with status {page.status}")
            return None
        files = dict.fromkeys(FILE.findall(page.body))
        if not files:
            seen.faults.append("a page that names no files")
        for path in files:
            file = await answer(reader, writer, address.netloc, path.decode())
            seen.files += 1
            if file.status != HTTPStatus.OK or not file.body:
                seen.faults.append(f"{path.decode()} with status {file.status}")
        return None
    finally:
        writer.close()


class Person(NamedTuple):
    """Comes at `comes_at`, with pauses between its attempts by `roll`, and gives up at `ends_at`."""

    number: int
    comes_at: float
    ends_at: float
    roll: random.Random


async def come(url: str, person: Person, seen: Seen) -> None:
    tries, next_at = 0, person.comes_at
    try:
        while next_at < person.ends_at:
            await asyncio.sleep(max(0.0, next_at - time.perf_counter()))
            tries += 1
            pause = await visit(url, person.number, seen)
            now = time.perf_counter()
            if pause is None:
                seen.served.append(now - person.comes_at)
                seen.last_served_at = max(seen.last_served_at, now)
                if tries == 1:
                    seen.at_once.append(now - person.comes_at)
                return
            next_at = now + pause + person.roll.random() * RELOAD_SECONDS
        seen.faults.append("a person without the page at the end")
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        seen.faults.append(type(error).__name__)


def _percentiles(values: Sequence[float]) -> str:
    return ", ".join(
        f"p{part:.0%}".rstrip("%") + f" {percentile(values, part) * 1e3:.0f} ms" for part in (0.5, 0.95, 0.99)
    )


async def rush(stack: Stack, *, people: int, seconds: float) -> list[str]:
    """Prints the figures; returns the faults."""
    watched = Watched(
        supervisor=stack.supervisor, generator=stack.supervisor, interval_seconds=1, metrics=(), postgres=""
    )
    roll, seen, spent = random.Random(1), Seen(), Spent()  # noqa: S311 - a load that can be repeated
    before, began = uses(watched, spent), time.perf_counter()
    comes = sorted(began + roll.random() * seconds for _ in range(people))
    ends = began + seconds + WAIT_SECONDS
    await asyncio.gather(
        *(come(stack.url, Person(number, at, ends, roll), seen) for number, at in enumerate(comes)),
    )
    passed, after = time.perf_counter() - began, uses(watched, spent)
    refused = sum(count for status, count in seen.statuses.items() if status in REFUSALS)
    print(f"  {len(seen.served)} of {people} people have the page, the last after {seen.last_served_at - began:.0f} s")
    print(f"  {len(seen.at_once)} without a refusal: {_percentiles(seen.at_once)}")
    print(f"  all: {_percentiles(seen.served)}; {refused} refusals with a time to retry, {seen.files} files")
    for part in ("API", "Redis", "Traefik"):
        print(f"  {part}: {(after[part].cpu_seconds - before[part].cpu_seconds) / passed:.2f} cores")
    return seen.faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="within which they come")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    faults: list[str] = []
    for name, settings in (("the limits of production", None), ("raised limits", RAISED_LIMITS)):
        print(f"With {name}:")
        with running_stack(Path(sys.executable), settings) as stack:
            faults += asyncio.run(rush(stack, people=options.people, seconds=options.seconds))
    if faults:
        counted = ", ".join(f"{count} times {fault}" for fault, count in Counter(faults).most_common(5))
        sys.exit(f"{len(faults)} faults: {counted}")


if __name__ == "__main__":
    main()
