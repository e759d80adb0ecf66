"""argon2id in a few threads: each hash takes 64 MiB and a core for some tens of milliseconds."""

import asyncio
import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from upschedule.accounts.errors import SignInBusy

T = TypeVar("T")

_SIGN_INS_AT_ONCE, _SIGN_INS_WAITING_MAX = 2, 32
_SIGN_UPS_AT_ONCE, _SIGN_UPS_WAITING_MAX = 1, 8
_SIGN_UP_NICENESS = 10


class PasswordHashing:
    """Signing in and signing up have separate threads and queues: neither waits for the other.

    Every method raises SignInBusy if its queue is full.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._sign_ins = _Lane("sign-in", at_once=_SIGN_INS_AT_ONCE, waiting_max=_SIGN_INS_WAITING_MAX)
        self._sign_ups = _Lane(
            "sign-up", at_once=_SIGN_UPS_AT_ONCE, waiting_max=_SIGN_UPS_WAITING_MAX, niceness=_SIGN_UP_NICENESS
        )

    @functools.cached_property
    def _decoy(self) -> str:
        """The hash that an unknown address is verified against, so that it takes as long as a known one."""
        return self._hasher.hash("decoy")

    async def hash(self, password: str) -> str:
        """Hashes the password of a sign-up."""
        return await self._sign_ups.run(functools.partial(self._hasher.hash, password))

    async def rehash(self, password: str) -> str:
        """Hashes the password of a sign-in whose stored hash is outdated."""
        return await self._sign_ins.run(functools.partial(self._hasher.hash, password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Verifies the password of a sign-in. `None`, for an unknown address, takes as long and is never right."""
        right = await self._sign_ins.run(functools.partial(self._matches, password_hash, password))
        return right and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was computed with other parameters than the current ones."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        self._sign_ins.close()
        self._sign_ups.close()

    def _matches(self, password_hash: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash or self._decoy, password)
        except VerificationError:
            return False


class _Lane:
    """Threads with a bounded queue. A higher niceness gives the processor to the other lane first."""

    def __init__(self, name: str, *, at_once: int, waiting_max: int, niceness: int = 0) -> None:
        begin = functools.partial(_be_nice, niceness) if niceness else None
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix=name, initializer=begin)
        self._calls_max = at_once + waiting_max
        self._calls = 0

    async def run(self, call: Callable[[], T]) -> T:
        if self._calls >= self._calls_max:
            raise SignInBusy
        self._calls += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._calls -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


def _be_nice(niceness: int) -> None:
    # On Linux a thread has a niceness of its own, and the threads that argon2 starts inherit it.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
