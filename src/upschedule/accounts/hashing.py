"""argon2id in a few threads: each hash takes 64 MiB and a core for some tens of milliseconds."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from upschedule.accounts.errors import SignInBusy

T = TypeVar("T")

_CONCURRENCY_MAX = 2
_WAITING_MAX = 32


class PasswordHashing:
    """At most two hashes at once and 32 waiting; more raise SignInBusy."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._threads = ThreadPoolExecutor(max_workers=_CONCURRENCY_MAX, thread_name_prefix="argon2")
        self._under_way = 0

    @functools.cached_property
    def _decoy(self) -> str:
        """What an unknown address is checked against, so that its answer takes as long as a known one's."""
        return self._hasher.hash("decoy")

    async def hash(self, password: str) -> str:
        return await self._run(functools.partial(self._hasher.hash, password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """None, for an unknown address, costs the same and is never right."""
        right = await self._run(functools.partial(self._matches, password_hash, password))
        return right and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _matches(self, password_hash: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash or self._decoy, password)
        except VerificationError:
            return False

    async def _run(self, call: Callable[[], T]) -> T:
        if self._under_way >= _CONCURRENCY_MAX + _WAITING_MAX:
            raise SignInBusy
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._under_way -= 1
