"""Blocks sign-ins from an address and to an account for 15 minutes after five failures (R8.5).

A device that signed in to the account before is exempt from these blocks and has its own count (decision 15).
Fails closed: without Redis an attempt cannot be counted, and raises StoreError.
"""

import asyncio
import hashlib
import random
import secrets
from collections.abc import Callable

import msgspec
from redis.asyncio import Redis

from upschedule.accounts.errors import SignInBlocked, SignInBusy
from upschedule.backoff import jittered
from upschedule.settings import LimitSettings
from upschedule.stores.redis import store_errors

_STORE = "redis-state"
# An attempt whose process died counts as under way for this time.
_UNDER_WAY_SECONDS = 30
# How long an attempt waits for others of the same scope, and how many attempts of a process may wait.
_WAIT_SECONDS = 10.0
_WAITING_MAX = 200
_PAUSE_SECONDS = 0.1

# The verdicts of the script; 2 means wait.
_GO_ON, _BLOCKED = 0, 1

# KEYS: a counter of failures for each scope, then a set of attempts under way for each. The first ARGV[4] scopes
# decide. Attempts under way might all fail: together with the failures they may not exceed the limit. They are no
# failures yet, so that people who sign in at the same time behind one address wait for each other and are not blocked.
_BEGIN = """
local limit, scopes, deciding = tonumber(ARGV[1]), #KEYS / 2, tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local blocked, wait = 0, false
for scope = 1, deciding do
  local failures = tonumber(redis.call('GET', KEYS[scope]) or '0')
  if failures >= limit then blocked = math.max(blocked, redis.call('TTL', KEYS[scope]), 1) end
  redis.call('ZREMRANGEBYSCORE', KEYS[scopes + scope], '-inf', now)
  if failures + redis.call('ZCARD', KEYS[scopes + scope]) >= limit then wait = true end
end
if blocked > 0 then return {1, blocked} end
if wait then return {2, 0} end
for scope = 1, scopes do
  redis.call('ZADD', KEYS[scopes + scope], now + tonumber(ARGV[3]), ARGV[2])
  redis.call('EXPIRE', KEYS[scopes + scope], ARGV[3])
end
return {0, 0}
"""

# The first failure opens a window, and the one that reaches the limit starts the block; later ones do not prolong it.
_FAILED = """
local scopes = #KEYS / 2
for scope = 1, scopes do
  redis.call('ZREM', KEYS[scopes + scope], ARGV[2])
  local failures = redis.call('INCR', KEYS[scope])
  if failures == 1 or failures == tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[scope], ARGV[3]) end
end
return 0
"""

# ARGV[2]: the scope whose failures are forgotten, 0 for none.
_ENDED = """
local scopes = #KEYS / 2
for scope = 1, scopes do redis.call('ZREM', KEYS[scopes + scope], ARGV[1]) end
if ARGV[2] ~= '0' then redis.call('DEL', KEYS[tonumber(ARGV[2])]) end
return 0
"""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to sign in. Its failure counts in all `scopes`; the first `deciding` scopes can block it."""

    id: str
    scopes: tuple[str, ...]
    deciding: int
    forgiven: int


class SignInThrottle:
    """Counts failures by client address, e-mail address (hashed) and device."""

    def __init__(self, redis: Redis, *, roll: Callable[[], float] = random.random) -> None:
        self._redis = redis
        self._roll = roll
        self._waiting = 0

    async def begin(self, *, client: str, email: str, device: bytes | None = None, limits: LimitSettings) -> Attempt:
        """`device` is the hash of a device that signed in to this account before; pass no other.

        Waits while attempts under way could use up the remaining failures. Raises SignInBlocked, SignInBusy.
        """
        attempt = _attempt(client, email, device)
        deadline = asyncio.get_running_loop().time() + _WAIT_SECONDS
        while True:
            verdict, seconds = await self._try_begin(attempt, failures_max=limits.sign_in_failures_max)
            if verdict == _GO_ON:
                return attempt
            if verdict == _BLOCKED:
                raise SignInBlocked(seconds)
            if self._waiting >= _WAITING_MAX or asyncio.get_running_loop().time() > deadline:
                raise SignInBusy
            self._waiting += 1
            try:
                await asyncio.sleep(jittered(_PAUSE_SECONDS, 0.8, self._roll()))
            finally:
                self._waiting -= 1

    async def failed(self, attempt: Attempt, *, limits: LimitSettings) -> None:
        """Records a wrong password. Raises StoreError."""
        await self._run(_FAILED, attempt, limits.sign_in_failures_max, attempt.id, limits.sign_in_block_seconds)

    async def succeeded(self, attempt: Attempt) -> None:
        """Clears the failures of the device, or of the account if no device is known. Raises StoreError.

        Failures of the address stay: otherwise an attacker's own account would clear those of all others. Failures of
        the account stay if a device succeeded: the owner's sign-ins must not give an attacker new attempts.
        """
        await self._run(_ENDED, attempt, attempt.id, attempt.forgiven)

    async def abandoned(self, attempt: Attempt) -> None:
        """Ends an attempt whose password was not verified. Raises StoreError."""
        await self._run(_ENDED, attempt, attempt.id, 0)

    async def _try_begin(self, attempt: Attempt, *, failures_max: int) -> tuple[int, int]:
        verdict, seconds = await self._run(
            _BEGIN, attempt, failures_max, attempt.id, _UNDER_WAY_SECONDS, attempt.deciding
        )
        return verdict, seconds

    async def _run(self, script: str, attempt: Attempt, *arguments: str | int) -> list[int]:
        keys = [*attempt.scopes, *(f"{scope}:under-way" for scope in attempt.scopes)]
        with store_errors(_STORE):
            return await self._redis.eval(script, len(keys), *keys, *map(str, arguments))


def _attempt(client: str, email: str, device: bytes | None) -> Attempt:
    address = f"sign-in:client:{client}"
    account = f"sign-in:account:{hashlib.sha256(email.encode()).hexdigest()}"
    attempt_id = secrets.token_hex(8)
    if device is None:
        return Attempt(id=attempt_id, scopes=(address, account), deciding=2, forgiven=2)
    return Attempt(id=attempt_id, scopes=(f"sign-in:device:{device.hex()}", address, account), deciding=1, forgiven=1)
