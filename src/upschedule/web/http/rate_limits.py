"""Limits on requests, exact over all instances: moving windows in the state Redis (R5.1, R5.2, R5.4)."""

import asyncio
import hashlib
import math
import random
import time
from collections.abc import Callable
from uuid import UUID

import msgspec
import structlog
from redis.asyncio import Redis

from upschedule.accounts.credentials import normalised_email
from upschedule.accounts.exemptions import Exemptions
from upschedule.backoff import jittered
from upschedule.metrics import LIMITED, LIMITER_UNAVAILABLE
from upschedule.settings import LimitSettings
from upschedule.stores.errors import StoreError
from upschedule.stores.windows import Count, Window, Windows
from upschedule.web.http.client_addresses import ClientAddresses, Connection, endpoint
from upschedule.web.http.errors import LimitExceeded
from upschedule.web.http.exchange import exchange_of, settings_of

_STORE = "redis-state"
_PREFIX = "limit"
#: The key of what is counted for all clients together.
_ALL = "all"
_HOUR_SECONDS = 3600
_MINUTE_SECONDS = 60
# Longer than the second after which a request no longer counts.
_ROOM_SECONDS = 1.5
_WAITING_MAX = 32
_PAUSE_SECONDS = 0.15

_log = structlog.stdlib.get_logger("upschedule.web")


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """`amount` in any `seconds`. Without Redis an `open` one lets everything through, with a warning and a count.

    Limits with the same `window` count the same requests; without one, a limit counts its own.
    """

    name: str
    amount: int
    seconds: int
    open: bool
    detail: str
    window: str = ""

    def of(self, key: str) -> Window:
        """The window of one account or address. The amount is not part of its name: a new limit counts on."""
        return _window(self.window or self.name, key, self.amount, self.seconds)

    @property
    def policy(self) -> str:
        """`RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers."""
        return f'"{self.name}";q={self.amount};w={self.seconds}'


class RateLimits:
    """Each method counts one request and raises LimitExceeded for one too many, by the settings of the request.

    The methods that take an account count nothing for one that an operator has exempted.
    """

    def __init__(
        self,
        redis: Redis,
        clients: ClientAddresses,
        exemptions: Exemptions,
        *,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._roll = roll
        self._clients = clients
        self._exemptions = exemptions
        self._windows = Windows(redis, store=_STORE)
        self._waiting = 0

    async def everybody(self, connection: Connection) -> None:
        """All requests of all people together (R5.4).

        An address that is above its share waits while only the reserve is left, and is refused if that lasts. The
        reserve thereby serves all other addresses, however many requests that one sends; the rest of the limit is free
        for that address.
        """
        settings = settings_of(connection.scope).limits
        limit = _everybody(settings)
        try:
            share, *all_together = await self._windows.count(self._share(settings, connection), limit.of(_ALL))
        except StoreError as error:
            _unavailable(limit, error)
            return
        if share.had_room:
            _require_room(limit, connection, all_together[0])
            return
        if not await self._found_room(settings):
            await self._count(_unreserved(settings), connection, _ALL)
        await self._count_in_share(settings, connection)

    async def upload_attempt(self, connection: Connection, account_id: UUID | None) -> None:
        """Counts every attempt of an address, also one that is refused later: receiving the bytes costs as much."""
        if account_id and await self._exemptions.cover(account_id):
            return
        limit = _upload_address(settings_of(connection.scope).limits)
        await self._count(limit, connection, self._clients.of(connection))

    async def sign_up(self, connection: Connection) -> None:
        """Counts every attempt of an address: a hash and a row are expensive. May raise StoreError."""
        limit = _sign_up_address(settings_of(connection.scope).limits)
        await self._count(limit, connection, self._clients.of(connection))

    async def mail(self, connection: Connection, email: str) -> None:
        """Every message that an address would be sent, so that no person's mailbox is filled. Also raises StoreError.

        Where no mail is sent, nothing is counted.
        """
        settings = settings_of(connection.scope)
        if settings.mail.host:
            key = hashlib.sha256(normalised_email(email).encode()).hexdigest()
            await self._count(_mail(settings.limits), connection, key)

    async def upload(self, connection: Connection, account_id: UUID) -> None:
        """An upload of an account (R5.1). Also raises StoreError."""
        if await self._exemptions.cover(account_id):
            return
        limit = _upload(settings_of(connection.scope).limits)
        _announce(limit, connection, await self._count(limit, connection, str(account_id)))

    async def give_back_upload(self, connection: Connection, account_id: UUID) -> None:
        """The upload was refused, so it does not count. Never raises: at worst one upload too many was counted."""
        if await self._exemptions.cover(account_id):
            return
        limit = _upload(settings_of(connection.scope).limits)
        try:
            await self._windows.give_back(limit.of(str(account_id)))
        except StoreError as error:
            _log.warning("limiter_unavailable", limit=limit.name, reason=error.reason)

    async def status(self, connection: Connection, account_id: UUID) -> None:
        """A look at a job's status by an account (R5.2)."""
        if await self._exemptions.cover(account_id):
            return
        limit = _status(settings_of(connection.scope).limits)
        _announce(limit, connection, await self._count(limit, connection, str(account_id)))

    async def picture(self, connection: Connection, account_id: UUID) -> None:
        """A picture of a row, which a worker draws."""
        if not await self._exemptions.cover(account_id):
            await self._count(_picture(settings_of(connection.scope).limits), connection, str(account_id))

    async def report(self, connection: Connection, account_id: UUID) -> None:
        """A row that is reported as wrong. Also raises StoreError."""
        await self._count(_report(settings_of(connection.scope).limits), connection, str(account_id))

    async def _count_in_share(self, settings: LimitSettings, connection: Connection) -> None:
        """What an address was granted above its share counts in it as well.

        Otherwise requests that waited for room outside the reserve would fill all of that, and the same address could
        take its share from the reserve on top.
        """
        try:
            await self._windows.count(self._share(settings, connection, amount=settings.requests_per_second))
        except StoreError as error:
            _unavailable(_everybody(settings), error)

    async def _found_room(self, settings: LimitSettings) -> bool:
        """Whether the request was counted outside the reserve, now or a moment later.

        A lecture's burst from one network, which the limit as a whole allows, is thereby late and not refused.
        """
        unreserved, whole = _unreserved(settings).of(_ALL), _everybody(settings).of(_ALL)
        deadline = asyncio.get_running_loop().time() + _ROOM_SECONDS
        while True:
            try:
                [counted] = await self._windows.count(unreserved)
                if counted.had_room:
                    return True
                full = not (await self._windows.look(whole)).had_room
            except StoreError:
                return False
            if full or self._waiting >= _WAITING_MAX or asyncio.get_running_loop().time() > deadline:
                return False
            self._waiting += 1
            try:
                await asyncio.sleep(jittered(_PAUSE_SECONDS, 2 / 3, self._roll()))
            finally:
                self._waiting -= 1

    async def _count(self, limit: Limit, connection: Connection, key: str) -> Count | None:
        """None: Redis is away, and the limit is an open one."""
        try:
            [counted] = await self._windows.count(limit.of(key))
        except StoreError as error:
            _unavailable(limit, error)
            return None
        _require_room(limit, connection, counted)
        return counted

    def _share(self, settings: LimitSettings, connection: Connection, *, amount: int | None = None) -> Window:
        return _window("share", self._clients.of(connection), amount or settings.requests_per_second_address, 1)


def _window(name: str, key: str, amount: int, seconds: int) -> Window:
    return Window(key=f"{_PREFIX}:{name}/{key}", amount=amount, seconds=seconds)


def _require_room(limit: Limit, connection: Connection, counted: Count) -> None:
    if not counted.had_room:
        seconds = _announce(limit, connection, counted)
        _log_violation(limit, connection)
        raise LimitExceeded(limit=limit.name, retry_after_seconds=seconds, detail=limit.detail)


def _announce(limit: Limit, connection: Connection, counted: Count | None) -> int:
    """Puts the limit's state on the answer; returns the seconds until one more request is allowed."""
    if counted is None:
        return limit.seconds
    seconds = max(1, math.ceil(counted.resets_at - time.time()))
    exchange = exchange_of(connection.scope)
    exchange.add_header("RateLimit-Policy", limit.policy)
    exchange.add_header("RateLimit", f'"{limit.name}";r={counted.remaining};t={seconds}')
    return seconds


def _everybody(settings: LimitSettings) -> Limit:
    return Limit(
        name="everybody",
        amount=settings.requests_per_second,
        seconds=1,
        open=True,
        detail="The service is getting more requests than it may answer. Try again in a second.",
    )


def _unreserved(settings: LimitSettings) -> Limit:
    amount = settings.requests_per_second * (100 - settings.requests_reserved_percent) // 100
    return Limit(
        name="address",
        amount=max(1, amount),
        seconds=1,
        open=True,
        detail="The service is busy, and your network sends more requests than its share. Try again in a second.",
        window="everybody",
    )


def _upload_address(settings: LimitSettings) -> Limit:
    return Limit(
        name="uploads-address",
        amount=settings.uploads_per_hour_address,
        seconds=_HOUR_SECONDS,
        open=True,
        detail="Too many files were uploaded from your network within an hour. Try again later.",
    )


def _sign_up_address(settings: LimitSettings) -> Limit:
    return Limit(
        name="sign-ups-address",
        amount=settings.sign_ups_per_hour_address,
        seconds=_HOUR_SECONDS,
        open=False,
        detail="Too many people have signed up from your network within an hour. Try again later.",
    )


def _mail(settings: LimitSettings) -> Limit:
    return Limit(
        name="mails",
        amount=settings.mails_per_hour,
        seconds=_HOUR_SECONDS,
        open=False,
        detail="This address was sent several messages within an hour. Look into your mailbox, or try again later.",
    )


def _upload(settings: LimitSettings) -> Limit:
    return Limit(
        name="uploads",
        amount=settings.uploads_per_hour,
        seconds=_HOUR_SECONDS,
        open=False,
        detail=f"You may upload {settings.uploads_per_hour} files an hour. Try again later.",
    )


def _status(settings: LimitSettings) -> Limit:
    return Limit(
        name="status",
        amount=settings.status_per_minute,
        seconds=_MINUTE_SECONDS,
        open=True,
        detail=f"You may ask {settings.status_per_minute} times a minute. Follow the job's stream instead.",
    )


def _picture(settings: LimitSettings) -> Limit:
    return Limit(
        name="pictures",
        amount=settings.pictures_per_minute,
        seconds=_MINUTE_SECONDS,
        open=True,
        detail=f"You may look at {settings.pictures_per_minute} rows a minute. Try again later.",
    )


def _report(settings: LimitSettings) -> Limit:
    return Limit(
        name="reports",
        amount=settings.reports_per_hour,
        seconds=_HOUR_SECONDS,
        open=False,
        detail=f"You may report {settings.reports_per_hour} rows an hour. Try again later.",
    )


def _unavailable(limit: Limit, error: StoreError) -> None:
    if not limit.open:
        raise error
    LIMITER_UNAVAILABLE.labels(limit.name).inc()
    _log.warning("limiter_unavailable", limit=limit.name, reason=error.reason)


def _log_violation(limit: Limit, connection: Connection) -> None:
    LIMITED.labels(limit.name).inc()
    # Who and where (R5.5); the address is personal and stays out.
    _log.warning(
        "limit_exceeded",
        limit=limit.name,
        endpoint=endpoint(connection),
        **exchange_of(connection.scope).ids(),
    )
