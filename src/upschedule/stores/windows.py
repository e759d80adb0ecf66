"""Moving windows in Redis: how often something was counted within the last seconds, exact over all instances.

A window is a list of the times at which it was counted, newest first, and holds at most `amount` of them.
"""

import time
from collections.abc import Callable, Sequence

import msgspec
from redis.asyncio import Redis

from upschedule.stores.redis import store_errors

# Counts in each window in turn, up to the first that is full; the windows before that one stay counted. Returns for
# each window that was reached: whether it had room, how many times it holds now, and the oldest of them.
_COUNT = """
local now, counts, answers = tonumber(ARGV[1]), ARGV[2] == '1', {}
for number, key in ipairs(KEYS) do
    local amount, seconds = tonumber(ARGV[2 * number + 1]), tonumber(ARGV[2 * number + 2])
    local last = redis.call('LINDEX', key, amount - 1)
    local room = not last or tonumber(last) < now - seconds
    if room and counts then
        redis.call('LPUSH', key, ARGV[1])
        redis.call('LTRIM', key, 0, amount - 1)
        redis.call('EXPIRE', key, seconds)
    end
    local held, low, high, oldest = 0, 0, amount - 1, ARGV[1]
    while low <= high do
        local middle = math.floor((low + high) / 2)
        local at = redis.call('LINDEX', key, middle)
        if at and tonumber(at) >= now - seconds then
            held, oldest, low = middle + 1, at, middle + 1
        else
            high = middle - 1
        end
    end
    answers[number] = {room and 1 or 0, held, oldest}
    if not room then break end
end
return answers
"""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """At most `amount` times within any `seconds`. Windows with the same key hold the same times."""

    key: str
    amount: int
    seconds: int


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """`had_room`: it was counted, or `look` found that it could be.

    `resets_at`: when the oldest time leaves the window, in seconds since 1970.
    """

    had_room: bool
    remaining: int
    resets_at: float


class Windows:
    """Every method is one round trip, and may raise StoreError with the name `store`."""

    def __init__(self, redis: Redis, *, store: str, now: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._store = store
        self._now = now
        self._script = redis.register_script(_COUNT)

    async def count(self, *windows: Window) -> list[Count]:
        """Counts once in each window in turn, up to the first without room, which is the last of the answers."""
        return await self._run(windows, counts=True)

    async def look(self, window: Window) -> Count:
        """Counts nothing."""
        [found] = await self._run([window], counts=False)
        return found

    async def give_back(self, window: Window) -> None:
        """Removes the newest time of the window."""
        with store_errors(self._store):
            await self._redis.lpop(window.key)

    async def _run(self, windows: Sequence[Window], *, counts: bool) -> list[Count]:
        bounds = [bound for window in windows for bound in (window.amount, window.seconds)]
        arguments = [repr(self._now()), int(counts), *bounds]
        with store_errors(self._store):
            answers = await self._script(keys=[window.key for window in windows], args=arguments)
        return [
            Count(had_room=bool(room), remaining=max(0, window.amount - held), resets_at=float(oldest) + window.seconds)
            for window, (room, held, oldest) in zip(windows, answers, strict=False)
        ]
