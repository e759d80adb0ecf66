"""Applies Consul's keys to the live settings: validated, audited in the log, and unchanged while Consul is away."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

import msgspec
import structlog

from upschedule.backoff import Backoff
from upschedule.calendars.years import AcademicYearConfig, AcademicYearStore, InvalidAcademicYear, parse_year
from upschedule.logging import set_level
from upschedule.metrics import SETTINGS_AGE_SECONDS, SETTINGS_CHANGED, SETTINGS_REFUSED
from upschedule.services.live import SETTINGS_PREFIX, YEARS_PREFIX, KeyRefused, LiveSettings
from upschedule.stores.consul import ConsulKeys, KeyValue, next_index
from upschedule.stores.errors import StoreError

_log = structlog.stdlib.get_logger("upschedule.settings")

_RETRY_SECONDS_BASE = 0.5
# Changes that follow each other faster are taken together.
_PAUSE_SECONDS_ANSWERED = 0.1


class SettingsWatch:
    """`start` it once; `close` ends it. `years` is None where another process keeps them."""

    def __init__(
        self,
        keys: ConsulKeys,
        live: LiveSettings,
        years: AcademicYearStore | None,
        *,
        retry_seconds_max: float,
        roll: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._live = live
        self._years = years
        self._backoff = Backoff(base_seconds=_RETRY_SECONDS_BASE, max_seconds=retry_seconds_max)
        self._roll = roll
        self._monotonic = monotonic
        self._answered = asyncio.Event()
        self._answered_at = monotonic()
        self._refused: set[tuple[str, int]] = set()
        self._watching: asyncio.Task[None] | None = None

    async def start(self, *, wait_seconds: float) -> None:
        """Returns with the first answer, or after `wait_seconds` without: then the environment's values hold."""
        SETTINGS_AGE_SECONDS.set_function(lambda: self._monotonic() - self._answered_at)
        self._watching = asyncio.create_task(self._watch(), name="settings-watch")
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                await self._answered.wait()

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self) -> None:
        index = failures = 0
        while True:
            try:
                answered, entries = await self._keys.read(after=index)
                await self._apply(entries)
                index = next_index(index, answered)
            except StoreError as error:
                if not failures:
                    _log.warning("settings_not_watched", store=error.store, reason=error.reason)
            except Exception:  # noqa: BLE001 - a defect met in one answer must not end the watch
                _log.exception("settings_watch_failed")
            else:
                if failures:
                    _log.info("settings_watched_again", failures=failures)
                failures = 0
                await asyncio.sleep(_PAUSE_SECONDS_ANSWERED)
                continue
            # A Consul that comes back may have begun to count again: it is asked for everything.
            index, failures = 0, failures + 1
            await asyncio.sleep(self._backoff.pause_seconds(failures, self._roll()))

    async def _apply(self, entries: Iterable[KeyValue]) -> None:
        settings: list[KeyValue] = []
        years: list[KeyValue] = []
        for entry in entries:
            (years if entry.key.startswith(YEARS_PREFIX) else settings).append(entry)
        refused = self._apply_settings(settings)
        self._answered_at = self._monotonic()
        self._answered.set()
        if self._years is not None:
            refused += await self._apply_years(years, self._years)
        self._report(refused)

    def _apply_settings(self, entries: list[KeyValue]) -> list[KeyRefused]:
        changes, refused = self._live.apply(entries)
        for change in changes:
            SETTINGS_CHANGED.inc()
            _log.warning("setting_changed", **msgspec.structs.asdict(change))
        if changes:
            set_level(self._live.current.log.level)
        return refused

    async def _apply_years(self, entries: list[KeyValue], years: AcademicYearStore) -> list[KeyRefused]:
        refused: list[KeyRefused] = []
        for entry in entries:
            try:
                year, config = parse_year(entry.key.removeprefix(YEARS_PREFIX), entry.value)
            except InvalidAcademicYear as error:
                refused.append(KeyRefused(key=entry.key, reason=str(error), modify_index=entry.modify_index))
                continue
            await self._upsert_year(entry, year, config, years)
        return refused

    async def _upsert_year(
        self, entry: KeyValue, year: int, config: AcademicYearConfig, years: AcademicYearStore
    ) -> None:
        try:
            change = await years.upsert(year, config)
        except StoreError as error:
            # The next answer brings it again, and one comes even when nothing changes.
            _log.warning("academic_year_not_kept", key=entry.key, store=error.store, reason=error.reason)
            return
        if change:
            SETTINGS_CHANGED.inc()
            audit = {"old": msgspec.to_builtins(change.old), "new": msgspec.to_builtins(change.new)}
            _log.warning("setting_changed", key=entry.key, **audit, modify_index=entry.modify_index)

    def _report(self, refused: Iterable[KeyRefused]) -> None:
        """Each value once, however often it is read."""
        for one in refused:
            if (one.key, one.modify_index) not in self._refused:
                SETTINGS_REFUSED.inc()
                _log.warning("setting_refused", **msgspec.structs.asdict(one))
        self._refused = {(one.key, one.modify_index) for one in refused}


@asynccontextmanager
async def open_watch(live: LiveSettings, years: AcademicYearStore | None) -> AsyncGenerator[None]:
    """Watches until the block is left; without an address there is nothing to watch."""
    consul = live.current.consul
    if not consul.address:
        yield
        return
    async with ConsulKeys(consul, prefix=SETTINGS_PREFIX) as keys:
        watch = SettingsWatch(keys, live, years, retry_seconds_max=consul.retry_seconds_max, roll=random.random)
        await watch.start(wait_seconds=consul.start_seconds)
        try:
            yield
        finally:
            await watch.close()
