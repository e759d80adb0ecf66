"""Five failures block signing in from an address and to an account for a quarter of an hour (R8.5).

Closed without Redis: an attempt that cannot be counted is not made; it raises StoreError.
"""

import hashlib
from collections.abc import Callable

import msgspec
from redis.asyncio import Redis

from upschedule.accounts.errors import SignInBlocked
from upschedule.stores.redis import translated

_STORE = "redis-state"

# Counts the attempt before it is made, so that attempts at the same time cannot outrun the count. The first failure
# opens a window, and the one that reaches the limit starts the block.
_RESERVE = """
for _, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[1]) then
    return math.max(redis.call('TTL', key), 1)
  end
end
for _, key in ipairs(KEYS) do
  local failures = redis.call('INCR', key)
  if failures == 1 or failures == tonumber(ARGV[1]) then redis.call('EXPIRE', key, ARGV[2]) end
end
return 0
"""

# The attempt was no failure. The account's failures are forgotten; the address only gets its own attempt back, or one
# account of the attacker's would wipe the failures on all others.
_GIVE_BACK = """
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end
if KEYS[2] then redis.call('DEL', KEYS[2]) end
return 0
"""


class SignInBounds(msgspec.Struct, frozen=True, kw_only=True):
    """How many failures lead to a block, and how long it is."""

    failures_max: int
    block_seconds: int


class SignInThrottle:
    """Counts failures by client address and by e-mail address, the latter hashed. `bounds` are those of the moment."""

    def __init__(self, redis: Redis, *, bounds: Callable[[], SignInBounds]) -> None:
        self._redis = redis
        self._bounds = bounds

    async def reserve(self, *, client: str, email: str | None = None) -> None:
        """Counts an attempt as failed until `succeeded`. Raises SignInBlocked, StoreError."""
        keys, bounds = _keys(client, email), self._bounds()
        with translated(_STORE):
            blocked = await self._redis.eval(_RESERVE, len(keys), *keys, bounds.failures_max, bounds.block_seconds)
        if blocked:
            raise SignInBlocked(int(blocked))

    async def succeeded(self, *, client: str, email: str | None = None) -> None:
        """Takes back what `reserve` counted. Raises StoreError."""
        keys = _keys(client, email)
        with translated(_STORE):
            await self._redis.eval(_GIVE_BACK, len(keys), *keys)


def _keys(client: str, email: str | None) -> list[str]:
    keys = [f"sign-in:client:{client}"]
    if email is not None:
        keys.append(f"sign-in:account:{hashlib.sha256(email.encode()).hexdigest()}")
    return keys
