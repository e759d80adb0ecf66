"""One client with many connections, from an address of its own on the loopback network."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from upschedule.operations.embedded.ports import LOOPBACK

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@asynccontextmanager
async def flooding(
    port: int, *, connections: int, address: str, path: str = "/api/v1/capacity"
) -> AsyncGenerator[Counter[int]]:
    """Asks on all connections, again and again, until the block is left; counts the answers by their status.

    The block begins once every connection has had an answer.
    """
    answers: Counter[int] = Counter()
    answered = asyncio.Barrier(connections + 1)
    tasks = [
        asyncio.create_task(_ask(port, address=address, path=path, answers=answers, answered=answered))
        for _ in range(connections)
    ]
    try:
        await answered.wait()
        yield answers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ask(port: int, *, address: str, path: str, answers: Counter[int], answered: asyncio.Barrier) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, port, local_addr=(address, 0))
    request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\n\r\n".encode()
    try:
        first = True
        while True:
            writer.write(request)
            answers[await _answer(reader)] += 1
            if first:
                first = False
                await answered.wait()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    status, length = _STATUS.match(head), _LENGTH.search(head)
    assert status, head
    assert length, head
    await reader.readexactly(int(length[1]))
    return int(status[1])
