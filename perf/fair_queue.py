"""Measures the wait behind one address's expensive files: in the fair order, and in the order of arrival.

    uv run python -m perf.fair_queue                   # about eight minutes on two cores
    uv run python -m perf.fair_queue --files 12 --people 30

Each part starts a whole system of its own (`upschedule local`). Addresses are addresses of this machine's loopback. All
uploads but one come without a cookie, so each is a new visitor. In the order of arrival, which is what a queue without
shares has, there is one kind of reading and every client has the same address; the time of the expensive readings is
measured with `--arrival-files` of them, which must fill all four places, and set in proportion.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec

from perf.stack import running_stack
from tests.support.documents import refused
from tests.support.documents.generate import document

_ATTACKER, _HONEST = "127.0.0.2", "127.0.0.3"
_GOAL_SECONDS = 10.0
_FINAL = frozenset({"completed", "failed"})
#: One kind of reading, with the bounds of before.
_ARRIVAL = {
    "UPSCHEDULE_JOBS_QUICK_CPU_SECONDS": "1000",
    "UPSCHEDULE_WORKER_SLOW_CONCURRENCY": "2",
    "UPSCHEDULE_WORKER_CPU_SECONDS_MAX": "60",
    "UPSCHEDULE_UPLOADS_CONTENT_BYTES_MAX": "10000000000",
}
#: The client asks often; the limits on requests are not what is measured here.
_UNLIMITED = {"UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND": "10000", "UPSCHEDULE_LIMITS_STATUS_PER_MINUTE": "100000"}


class Wait(NamedTuple):
    """The time from the beginning of an upload to the end of its reading."""

    seconds: float
    status: str


def _client(url: str, address: str) -> httpx.AsyncClient:
    """A new visitor of that address."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(base_url=url, transport=transport, timeout=60.0)


async def _upload(client: httpx.AsyncClient, data: bytes) -> str:
    answer = await client.post("/api/v1/uploads", files={"file": ("schedule.pdf", data, "application/pdf")})
    if answer.status_code not in {200, 202}:
        message = f"an upload answered {answer.status_code}: {answer.text}"
        raise RuntimeError(message)
    job: str = answer.json()["id"]
    return job


async def _read(client: httpx.AsyncClient, data: bytes, *, seconds_max: float = 900.0) -> Wait:
    began = time.perf_counter()
    job = await _upload(client, data)
    async with asyncio.timeout(seconds_max):
        while True:
            async with client.stream("GET", f"/api/v1/jobs/{job}/stream") as stream:
                async for line in stream.aiter_lines():
                    if line.startswith("data:"):
                        status: str = msgspec.json.decode(line.removeprefix("data:").strip())["status"]
                        if status in _FINAL:
                            return Wait(time.perf_counter() - began, status)


async def _attack(url: str, data: bytes, files: int, address: str) -> None:
    """Returns once all have been taken in."""
    for _ in range(files):
        async with _client(url, address) as client:
            await _upload(client, data)


async def _behind(url: str, data: bytes, files: int, *, honest: Sequence[str]) -> list[Wait]:
    """One known visitor of the attacker's address, and one new visitor of each address in `honest`."""
    async with _client(url, _ATTACKER) as known:
        first = await _read(known, document(1).data)
        if first.status != "completed":
            message = f"a good schedule ended as {first.status}"
            raise RuntimeError(message)
        await _attack(url, data, files, _ATTACKER)
        people = [_client(url, address) for address in honest]
        try:
            return await asyncio.gather(
                _read(known, document(2).data),
                *(_read(client, document(3 + number).data) for number, client in enumerate(people)),
            )
        finally:
            for client in people:
                await client.aclose()


async def _crowd(url: str, people: int) -> float:
    """Seconds until the last of that many visitors behind one address has a timetable."""

    async def one(number: int) -> Wait:
        async with _client(url, _HONEST) as client:
            return await _read(client, document(100 + number).data)

    began = time.perf_counter()
    waits = await asyncio.gather(*(one(number) for number in range(people)))
    if {wait.status for wait in waits} != {"completed"}:
        message = "a good schedule was not read"
        raise RuntimeError(message)
    return time.perf_counter() - began


async def _arrival(url: str, data: bytes, files: int) -> float:
    """Seconds that one upload waits behind so many, for each of them."""
    await _attack(url, data, files, _ATTACKER)
    async with _client(url, _ATTACKER) as client:
        return (await _read(client, document(4).data)).seconds / files


def _fair(options: argparse.Namespace, python: Path) -> Mapping[str, list[Wait]]:
    found: dict[str, list[Wait]] = {}
    for name, data in _expensive().items():
        with running_stack(python, _UNLIMITED) as stack:
            found[name] = asyncio.run(_behind(stack.url, data, options.files, honest=[_HONEST, _ATTACKER]))
    return found


def _expensive() -> dict[str, bytes]:
    return {
        "pages that share a stream of 16 MB": refused.shared_content(),
        "patterns of patterns, which only the clock stops": refused.pattern_bomb(),
    }


def main() -> None:
    """Exit code 1 where an honest upload from another address took longer than the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=50)
    parser.add_argument("--arrival-files", type=int, default=4)
    parser.add_argument("--people", type=int, default=100)
    options = parser.parse_args()
    python = Path(sys.executable)
    within = True
    fair = _fair(options, python)
    for name, data in _expensive().items():
        with running_stack(python, _UNLIMITED | _ARRIVAL) as stack:
            behind_all = options.files * asyncio.run(_arrival(stack.url, data, options.arrival_files))
        known, other, newcomer = fair[name]
        within = within and other.seconds <= _GOAL_SECONDS and other.status == "completed"
        print(f"{options.files} files of {len(data) / 1000:.0f} kB, {name}")
        print(f"  in the order of arrival     {behind_all:7.1f} s, by {options.arrival_files} of them")
        for who, wait in (("another address", other), ("same address, known", known), ("same address, new", newcomer)):
            share = wait.seconds / behind_all
            print(f"  fair, {who:21} {wait.seconds:7.1f} s, {share:.4f} of that; {wait.status}")
    seconds: list[float] = []
    for settings in (_UNLIMITED | _ARRIVAL, _UNLIMITED):
        with running_stack(python, settings) as stack:
            seconds.append(asyncio.run(_crowd(stack.url, options.people)))
    print(f"{options.people} visitors behind one address")
    print(
        f"  in the order of arrival {seconds[0]:.1f} s, fair {seconds[1]:.1f} s: {seconds[1] / seconds[0]:.2f} of that"
    )
    sys.exit(0 if within else 1)


if __name__ == "__main__":
    main()
