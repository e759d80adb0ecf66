"""A TCP proxy between a client and a real server, which breaks the connection and not the code."""

import asyncio
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Self

from upschedule.operations.embedded.ports import LOOPBACK, free_port

_CHUNK_BYTES = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class FaultProxy:
    """Forwards `port` to `upstream_port` on the loopback address while it is entered. Each fault holds until `restore`.

    It lives in the running event loop: a client that blocks this loop blocks the proxy with it.
    """

    def __init__(self, upstream_port: int) -> None:
        self.port = free_port()
        self.upstream_port = upstream_port
        self.accepted = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay_seconds = 0.0
        self._interruption: tuple[bytes, bytes] | None = None
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()

    async def refuse(self) -> None:
        """Behaves like a stopped server: refuses new connections and resets old ones."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self.break_connections()

    async def break_connections(self) -> None:
        """Reset every open connection; new ones work."""
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def go_deaf(self) -> None:
        """Behaves like a server that hangs: accepts connections, keeps old ones open, and passes no byte."""
        self._flowing.clear()

    def delay(self, seconds: float) -> None:
        """Hold back every chunk, in both directions."""
        self._delay_seconds = seconds

    def interrupt(self, *, after: bytes, by: bytes) -> None:
        """Ends the answer that contains `after` after these bytes, with `by`, like a proxy whose server dies."""
        self._interruption = (after, by)

    async def restore(self) -> None:
        self._delay_seconds = 0.0
        self._flowing.set()
        if self._listener is None:
            await self._listen()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, LOOPBACK, self.port)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            await self._flowing.wait()
            up_reader, up_writer = await asyncio.open_connection(LOOPBACK, self.upstream_port)
            writers.append(up_writer)
            async with asyncio.TaskGroup() as directions:
                directions.create_task(self._forward(reader, up_writer))
                directions.create_task(self._forward(up_reader, writer, answers=True))
        except* OSError:
            pass  # Either side went away: so does the other, below.
        finally:
            for open_writer in writers:
                _reset(open_writer)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            await asyncio.sleep(self._delay_seconds)
            await self._flowing.wait()
            if answers and self._interruption and (end := chunk.find(self._interruption[0])) >= 0:
                after, by = self._interruption
                self._interruption = None
                writer.write(chunk[: end + len(after)] + by)
                await writer.drain()
                break
            writer.write(chunk)
            await writer.drain()
        await self._flowing.wait()
        with suppress(OSError):
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
