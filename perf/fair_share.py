"""Measures how much one client with many connections slows the pages of another person (R5.4).

    uv run python -m perf.fair_share                     # 48 connections
    uv run python -m perf.fair_share --connections 200
    uv run python -m perf.fair_share --without-share     # one limit for all requests together, as before

The system runs on free ports with the default limits. The client and the person have different loopback addresses,
which Traefik passes on. The client asks as fast as its connections are answered; the person opens a page each 250 ms.
"""

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from perf.stack import running_stack
from tests.support.web.one_client import flooding

PAUSE_SECONDS = 0.25
CLIENT, PERSON = "127.0.0.2", "127.0.0.3"
NO_SHARE = "1000000"


async def measure(url: str, *, connections: int, pages: int) -> tuple[Counter[int], Counter[int], float]:
    """Answers to the person, answers to the client, and the seconds it took."""
    port = urlsplit(url).port or 80
    seen: Counter[int] = Counter()
    transport = httpx.AsyncHTTPTransport(local_address=PERSON)
    async with (
        flooding(port, connections=connections, address=CLIENT) as answers,
        httpx.AsyncClient(base_url=url, transport=transport, timeout=60) as person,
    ):
        before, began = Counter(answers), time.perf_counter()
        for _ in range(pages):
            seen[(await person.get("/")).status_code] += 1
            await asyncio.sleep(PAUSE_SECONDS)
        return seen, answers - before, time.perf_counter() - began


def main() -> None:
    """Exit code 1 where a page was refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=48)
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--without-share", action="store_true")
    options = parser.parse_args()
    if options.without_share:
        os.environ["UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND_ADDRESS"] = NO_SHARE
    with running_stack(Path(sys.executable)) as stack:
        pages, answers, seconds = asyncio.run(measure(stack.url, connections=options.connections, pages=options.pages))
    refused = sum(pages.values()) - pages[200]
    print(f"connections      {options.connections}")
    print(
        f"client           {answers[200] / seconds:.0f} requests a second served, {answers[429] / seconds:.0f} refused"
    )
    print(f"person           {refused} of {options.pages} pages refused = {refused / options.pages:.2f}")
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
