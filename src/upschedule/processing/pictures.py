"""Pictures of rows: the API asks for one through Redis, and a worker draws it in its sandbox while the file exists.

A request that no worker takes in time, or that Redis loses, costs nothing but the picture: the printed text is shown.
Nothing is kept: the worker's answer leaves Redis when it is fetched, or after a few seconds.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
import structlog
from redis.asyncio import Redis

from upschedule.backoff import Backoff
from upschedule.metrics import PICTURES
from upschedule.pdf.errors import UnreadableDocument
from upschedule.pdf.sandbox import Sandbox
from upschedule.pdf.sandbox.errors import QuantumUsedUp, SandboxFailed
from upschedule.processing.errors import FileGone, NoPicture
from upschedule.processing.repository import JobRepository
from upschedule.settings import Settings
from upschedule.stores.bucket import ObjectMissing
from upschedule.stores.database import Database
from upschedule.stores.errors import StoreError
from upschedule.stores.objects import ObjectStore
from upschedule.stores.redis import store_errors
from upschedule.timetable.event import Box

_log = structlog.get_logger(__name__)

_STORE = "redis-cache"
_WANTED = "pictures:wanted"
#: More requests than workers draw before those who ask give up; the oldest are dropped.
_WANTED_MAX = 100
#: An answer that is not fetched, and requests that no worker takes, are gone after this time.
_KEPT_SECONDS = 15
#: Requests of one process that wait for a worker at once: each holds a connection to Redis.
_WAITING_MAX = 16
_PNG = b"\x89PNG\r\n\x1a\n"
_AGAIN = Backoff(base_seconds=0.5, max_seconds=10.0)


class PictureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is asked to draw. It finds the file by the job."""

    id: UUID
    job_id: UUID
    box: Box


_requests = msgspec.json.Decoder(PictureRequest)


def _answer_key(request_id: UUID) -> str:
    return f"pictures:answer:{request_id}"


class RowPictures:
    """For the API."""

    def __init__(
        self, database: Database, redis: Redis, *, seconds_max: float, block_seconds: float, new_id: Callable[[], UUID]
    ) -> None:
        """`block_seconds` is shorter than the client's longest command."""
        self._database = database
        # Untyped, because the client leaves half of these methods' types unknown.
        self._redis: Any = redis
        self._seconds_max = seconds_max
        self._block_seconds = block_seconds
        self._new_id = new_id
        self._places = asyncio.Semaphore(_WAITING_MAX)

    async def exist(self, account_id: UUID, job_id: UUID) -> bool:
        """Whether the file still exists from which they are drawn."""
        async with self._database.reading() as connection:
            job = await JobRepository(connection).get(job_id)
        return job is not None and job.account_id == account_id and job.object_key is not None

    async def draw(self, account_id: UUID, job_id: UUID, box: Box) -> bytes:
        """The PNG of a row. Raises FileGone, or NoPicture if no worker has drawn it in time."""
        if not await self.exist(account_id, job_id):
            PICTURES.labels(outcome="gone").inc()
            raise FileGone
        if self._places.locked():
            PICTURES.labels(outcome="busy").inc()
            raise NoPicture
        async with self._places:
            try:
                image = await self._ask(PictureRequest(id=self._new_id(), job_id=job_id, box=box))
            except StoreError as error:
                _log.warning("picture_not_asked_for", reason=error.reason)
                image = b""
        PICTURES.labels(outcome="drawn" if image else "none").inc()
        if not image:
            raise NoPicture
        return image

    async def _ask(self, request: PictureRequest) -> bytes:
        """Empty if it could not be drawn, or not in time."""
        body = msgspec.json.encode(request)
        with store_errors(_STORE):
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.lpush(_WANTED, body)
                pipeline.ltrim(_WANTED, 0, _WANTED_MAX - 1)
                pipeline.expire(_WANTED, _KEPT_SECONDS)
                await pipeline.execute()
            try:
                async with asyncio.timeout(self._seconds_max):
                    while True:
                        found = await self._redis.blpop([_answer_key(request.id)], timeout=self._block_seconds)
                        if found:
                            return found[1]
            except TimeoutError:
                await self._redis.lrem(_WANTED, 1, body)
                return b""


class PictureDesk:
    """For a worker: draws one picture after another."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        redis: Redis,
        sandbox: Sandbox,
        settings: Settings,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._objects = objects
        self._redis: Any = redis
        self._sandbox = sandbox
        self._settings = settings
        self._block_seconds = block_seconds(settings)
        self._roll = roll

    async def run(self) -> None:
        """Until it is cancelled."""
        failures = 0
        while True:
            try:
                with store_errors(_STORE):
                    found = await self._redis.brpop([_WANTED], timeout=self._block_seconds)
                failures = 0
                if found:
                    await self._answer(found[1])
            except StoreError as error:
                failures += 1
                _log.warning("pictures_interrupted", reason=error.reason)
                await asyncio.sleep(_AGAIN.pause_seconds(failures, self._roll()))

    async def _answer(self, body: bytes) -> None:
        try:
            request = _requests.decode(body)
        except msgspec.MsgspecError:
            _log.error("picture_request_unreadable")
            return
        image = b""
        # After any error, the request must not wait until its time limit.
        with structlog.contextvars.bound_contextvars(job_id=str(request.job_id)):
            try:
                image = await self._drawn(request)
            except (StoreError, SandboxFailed) as error:
                _log.warning("picture_failed", reason=str(error))
            except (ObjectMissing, UnreadableDocument, QuantumUsedUp, TimeoutError) as error:
                _log.info("picture_not_drawn", reason=type(error).__name__)
        key = _answer_key(request.id)
        with store_errors(_STORE):
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.rpush(key, image)
                pipeline.expire(key, _KEPT_SECONDS)
                await pipeline.execute()

    async def _drawn(self, request: PictureRequest) -> bytes:
        jobs, worker = self._settings.jobs, self._settings.worker
        async with asyncio.timeout(jobs.picture_seconds_max):
            async with self._database.reading() as connection:
                job = await JobRepository(connection).get(request.job_id)
            if job is None or job.object_key is None:
                return b""
            data = await self._objects.get(job.object_key, size_bytes_max=self._settings.uploads.size_bytes_max)
            image = await self._sandbox.picture(
                data,
                request.box,
                deadline_seconds=jobs.picture_seconds_max,
                cpu_seconds=worker.picture_cpu_seconds,
            )
        # The process that drew it is not trusted.
        return image if image.startswith(_PNG) and len(image) <= worker.picture_bytes_max else b""


def block_seconds(settings: Settings) -> float:
    """The longest wait of one command: shorter than the socket's timeout, or the server would look dead."""
    return settings.redis.command_seconds / 2


async def beside(desk: PictureDesk, work: Awaitable[None]) -> None:
    """Draws pictures while `work` goes on."""
    drawing = asyncio.create_task(desk.run(), name="pictures")
    try:
        await work
    finally:
        drawing.cancel()
        with suppress(asyncio.CancelledError):
            await drawing
