"""Opens clients of the Redis servers; every command has a deadline, and the number of connections a bound."""

from collections.abc import Generator
from contextlib import contextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from upschedule.spent_time import spent
from upschedule.stores.cancelling import never_lose_cancellations
from upschedule.stores.errors import StoreFull, StoreTimeout, StoreUnavailable

# The error that a server returns for every change while it cannot write its append-only file.
_CANNOT_SAVE = "MISCONF"


def retry_once() -> Retry:
    """One quick second try hides a connection that the server closed meanwhile. The client owns this loop."""
    return Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), retries=1)


def connect(url: str, *, command_seconds: float, connections_max: int) -> Redis:
    """A client with its own pool; the first command opens a connection."""
    pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType] - its **kwargs have no type
        url,
        max_connections=connections_max,
        timeout=command_seconds,
        socket_timeout=command_seconds,
        socket_connect_timeout=command_seconds,
        socket_keepalive=True,
        health_check_interval=15,
        retry=retry_once(),
        decode_responses=False,
    )
    never_lose_cancellations(pool)
    return Redis.from_pool(pool)


@contextmanager
def store_errors(store: str) -> Generator[None]:
    """Turns every error of the client inside into a StoreError that names `store`."""
    try:
        with spent("redis"):
            yield
    except (RedisTimeoutError, TimeoutError) as error:
        raise StoreTimeout(store, type(error).__name__) from error
    except ResponseError as error:
        full = isinstance(error, OutOfMemoryError) or str(error).startswith(_CANNOT_SAVE)
        raise (StoreFull if full else StoreUnavailable)(store, type(error).__name__) from error
    except (RedisConnectionError, RedisError, OSError) as error:
        raise StoreUnavailable(store, type(error).__name__) from error


async def ping(redis: Redis, store: str) -> None:
    """Raises StoreError."""
    with store_errors(store):
        await redis.execute_command("PING")  # pyright: ignore[reportUnknownMemberType] - its **options have no type
