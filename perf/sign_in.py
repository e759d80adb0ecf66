"""Measures what the time of an answer reveals about an address, and what a flood of sign-ups does to a sign-in (R8.5).

    uv run python -m perf.sign_in
    uv run python -m perf.sign_in --rounds 200

The system runs on free ports, with the limits on requests and failures raised. Addresses with and without an account
take turns, so that a busy machine slows both. Each ratio is one of medians; 1 tells nothing.
"""

import argparse
import asyncio
import itertools
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from perf.stack import running_stack

RAISED = (
    "REQUESTS_PER_SECOND",
    "REQUESTS_PER_SECOND_ADDRESS",
    "SIGN_UPS_PER_HOUR_ADDRESS",
    "SIGN_IN_FAILURES_MAX",
)
PASSWORD = "correct horse battery"  # noqa: S105 - of an account that lives as long as this program
FLOOD_CONNECTIONS = 20
SIGN_INS_UNDER_FLOOD = 20

_numbers = itertools.count(1)
Post = Callable[[str, str, str], Awaitable[int]]


def _free() -> str:
    return f"free{next(_numbers)}@example.org"


async def _seconds(post: Post, path: str, email: str, password: str) -> float:
    began = time.perf_counter()
    await post(path, email, password)
    return time.perf_counter() - began


async def _compare(post: Post, path: str, taken: str, rounds: int) -> tuple[float, float]:
    """Medians for an address with an account and for one without."""
    with_account: list[float] = []
    without: list[float] = []
    for _ in range(rounds):
        with_account.append(await _seconds(post, path, taken, "not the password"))
        without.append(await _seconds(post, path, _free(), "not the password"))
    return statistics.median(with_account), statistics.median(without)


async def _sign_in_under_flood(post: Post, taken: str) -> tuple[float, float, int]:
    """Median of a sign-in alone and beside the flood, and how many of those beside it were refused."""
    alone = statistics.median([await _seconds(post, "sessions", taken, PASSWORD) for _ in range(SIGN_INS_UNDER_FLOOD)])

    async def sign_up() -> None:
        while True:
            await post("accounts", _free(), PASSWORD)

    flood = [asyncio.create_task(sign_up()) for _ in range(FLOOD_CONNECTIONS)]
    beside: list[float] = []
    refused = 0
    for _ in range(SIGN_INS_UNDER_FLOOD):
        began = time.perf_counter()
        refused += await post("sessions", taken, PASSWORD) != httpx.codes.CREATED
        beside.append(time.perf_counter() - began)
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
    return alone, statistics.median(beside), refused


async def measure(url: str, rounds: int) -> bool:
    """Prints the figures; whether every sign-in under the flood was served."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def post(path: str, email: str, password: str) -> int:
            client.cookies.clear()
            body = {"email": email, "password": password}
            return (await client.post(f"/api/v1/{path}", json=body)).status_code

        taken = _free()
        await post("accounts", taken, PASSWORD)
        assert await post("sessions", taken, PASSWORD) == httpx.codes.CREATED
        for path, name in (("accounts", "sign-up"), ("sessions", "wrong sign-in")):
            with_account, without = await _compare(post, path, taken, rounds)
            print(
                f"{name:<14} {with_account * 1000:.0f} ms with an account, {without * 1000:.0f} ms without: "
                f"ratio {with_account / without:.2f}"
            )
        alone, beside, refused = await _sign_in_under_flood(post, taken)
        print(
            f"sign-in        {alone * 1000:.0f} ms alone, {beside * 1000:.0f} ms beside {FLOOD_CONNECTIONS} "
            f"connections that sign up: ratio {beside / alone:.1f}, {refused} of {SIGN_INS_UNDER_FLOOD} refused"
        )
        return not refused


def main() -> None:
    """Exit code 1 where a sign-in was refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    os.environ.update({f"UPSCHEDULE_LIMITS_{name}": "1000000" for name in RAISED})
    with running_stack(Path(sys.executable)) as stack:
        served = asyncio.run(measure(stack.url, options.rounds))
    sys.exit(0 if served else 1)


if __name__ == "__main__":
    main()
