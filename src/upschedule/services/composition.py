"""Builds what works on the stores: the only place that turns settings into the few values each part is handed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from upschedule.accounts.logins import Logins, SignInLives
from upschedule.accounts.retention import AccountRetention
from upschedule.accounts.service import AccountService
from upschedule.accounts.session_cache import SessionCache
from upschedule.accounts.session_repository import SessionLives
from upschedule.accounts.sessions import SessionStore
from upschedule.accounts.throttle import SignInBounds, SignInThrottle
from upschedule.backoff import Backoff
from upschedule.calendars.feeds import FeedService
from upschedule.calendars.model import CalendarOptions
from upschedule.calendars.service import CalendarLimits, CalendarService
from upschedule.calendars.years import AcademicYearStore
from upschedule.metrics import POOL_CONNECTIONS, POOL_WAITING
from upschedule.pdf import READER_VERSION
from upschedule.pdf.sandbox import Sandbox
from upschedule.processing.doorbell import Doorbell
from upschedule.processing.intake import Intake, IntakeLimits
from upschedule.processing.lease import LeaseOptions
from upschedule.processing.queue import Queue, RateOptions
from upschedule.processing.queue_metrics import QueueMetrics
from upschedule.processing.retention import Retention, RetentionOptions
from upschedule.processing.retry_policy import RetryPolicy
from upschedule.processing.runner import Runner, RunOptions
from upschedule.processing.service import JobService
from upschedule.processing.shares import AddressHash, ShareOptions
from upschedule.processing.status_cache import StatusCache
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.processing.sweeper import Sweeper, SweepOptions
from upschedule.services.live import LiveSettings
from upschedule.services.opening import QUEUE, Stores
from upschedule.settings import Settings
from upschedule.stores.database import Database
from upschedule.stores.readiness import DependencyStatus, Pings, ping_all
from upschedule.stores.redis import ping


class Services:
    """What a process works with. Built by `open_services` only."""

    def __init__(self, live: LiveSettings, stores: Stores) -> None:
        self._live = live
        settings = self._settings = live.current
        self.database = stores.database
        self.redis_state = stores.redis_state
        self.redis_cache = stores.redis_cache
        self.objects = stores.objects
        self.broker = stores.broker
        cache = StatusCache(
            stores.redis_cache,
            final_seconds=settings.jobs.status_cache_seconds_final,
            pending_seconds=settings.jobs.status_cache_seconds_pending,
        )
        self.broadcaster = StatusBroadcaster(stores.redis_cache, cache)
        self._doorbell = Doorbell(stores.broker)
        queue = self._queue()
        self.intake = self._intake(queue)
        self.jobs = JobService(
            database=stores.database,
            objects=stores.objects,
            cache=cache,
            broadcaster=self.broadcaster,
            queue=queue,
        )
        self.accounts = _account_service(live, stores)
        self._calendars = _calendar_service(live, stores.database) if settings.web.feed_secret else None
        self.feeds = FeedService(stores.database, _calendar_options(settings), now=_now)

    @property
    def calendars(self) -> CalendarService:
        """For the API, which alone has the key that feed addresses are derived from."""
        if self._calendars is None:
            raise RuntimeError("UPSCHEDULE_WEB_FEED_SECRET is not set for this process.")
        return self._calendars

    async def readiness(self) -> list[DependencyStatus]:
        """Each dependency asked at once, the answer within 5 seconds whatever they do (R6.1)."""
        pings: Pings = {
            "postgres": self.database.ping,
            "redis-state": partial(ping, self.redis_state, "redis-state"),
            "redis-cache": partial(ping, self.redis_cache, "redis-cache"),
            "objects": self.objects.ping,
        }
        return await ping_all(pings, not_needed={"redis-cache"})

    def measure(self) -> None:
        """Brings the gauges of the connection pool up to date; call it before metrics are shown."""
        pool = self.database.statistics()
        POOL_CONNECTIONS.labels(state="open").set(pool["pool_size"])
        POOL_CONNECTIONS.labels(state="free").set(pool["pool_available"])
        POOL_WAITING.set(pool["requests_waiting"])

    def runner(self, sandbox: Sandbox) -> Runner:
        """For a worker, which owns the sandbox."""
        settings = self._settings
        return Runner(
            database=self.database,
            objects=self.objects,
            broadcaster=self.broadcaster,
            doorbell=self._doorbell,
            sandbox=sandbox,
            options=RunOptions(
                attempt_seconds_max=settings.jobs.attempt_seconds_max,
                size_bytes_max=settings.uploads.size_bytes_max,
                lease=LeaseOptions(
                    lease_seconds=settings.jobs.lease_seconds, heartbeat_seconds=settings.jobs.heartbeat_seconds
                ),
                retries=_retries(settings),
                shares=_shares(settings),
                slow_max=settings.worker.slow_concurrency,
                reader_version=READER_VERSION,
            ),
        )

    def sweeper(self) -> Sweeper:
        """For a scheduler."""
        jobs = self._settings.jobs
        return Sweeper(
            database=self.database,
            broadcaster=self.broadcaster,
            doorbell=self._doorbell,
            options=SweepOptions(
                rows_max=jobs.sweep_rows_max,
                ring_again_seconds=jobs.ring_again_seconds,
                attempt_seconds_max=jobs.attempt_seconds_max,
                retries=_retries(self._settings),
                reader_version=READER_VERSION,
            ),
        )

    def retention(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Retention:
        """For a scheduler."""
        jobs = self._settings.jobs
        return Retention(
            database=self.database,
            objects=self.objects,
            redis_state=self.redis_state,
            stream=QUEUE,
            options=RetentionOptions(
                file_seconds=3600 * self._settings.uploads.keep_hours,
                message_seconds=3600 * jobs.message_hours_max,
                dead_letter_seconds=3600 * jobs.dead_letter_hours,
                address_seconds=3600 * jobs.address_hours,
            ),
            now=now,
        )

    def account_retention(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> AccountRetention:
        """For a scheduler."""
        cache = SessionCache(self.redis_state)
        return AccountRetention(
            self.database,
            cache,
            lives=_session_lives(self._settings),
            sign_in_lives=_sign_in_lives(self._settings),
            now=now,
        )

    def queue_metrics(self) -> QueueMetrics:
        """For a scheduler."""
        return QueueMetrics(self.database, rate=_rate(self._settings))

    def academic_year_store(self) -> AcademicYearStore:
        """For whoever is told of an operator's dates."""
        return AcademicYearStore(self.database, now=_now)

    def _queue(self) -> Queue:
        live = self._live
        return Queue(
            self.database,
            pending_max=lambda: live.current.jobs.pending_max,
            rate=_rate(self._settings),
            shares=_shares(self._settings),
        )

    def _intake(self, queue: Queue) -> Intake:
        return Intake(
            database=self.database,
            objects=self.objects,
            broadcaster=self.broadcaster,
            doorbell=self._doorbell,
            queue=queue,
            limits=partial(_intake_limits, self._live),
            shares=_shares(self._settings),
            addresses=AddressHash(self._settings.web.feed_secret),
            reader_version=READER_VERSION,
            new_id=uuid4,
        )


def _intake_limits(live: LiveSettings) -> IntakeLimits:
    uploads, jobs = live.current.uploads, live.current.jobs
    return IntakeLimits(
        size_bytes_max=uploads.size_bytes_max,
        quota_bytes=uploads.quota_bytes,
        pending_max=jobs.pending_max,
        pending_reserve=jobs.pending_reserve,
        cpu_seconds=live.current.limits.cpu_seconds_per_account,
    )


def _account_service(live: LiveSettings, stores: Stores) -> AccountService:
    sessions = SessionStore(
        stores.database, SessionCache(stores.redis_state), lives=_session_lives(live.current), now=_now
    )
    return AccountService(
        stores.database,
        sessions,
        Logins(stores.database, lives=_sign_in_lives(live.current), now=_now),
        SignInThrottle(stores.redis_state, bounds=partial(_sign_in_bounds, live)),
        stores.hashing,
        quota_bytes=lambda: live.current.uploads.quota_bytes,
        now=_now,
    )


def _session_lives(settings: Settings) -> SessionLives:
    web = settings.web
    return SessionLives(idle=timedelta(days=web.session_days), absolute=timedelta(days=web.session_days_max))


def _sign_in_lives(settings: Settings) -> SignInLives:
    web = settings.web
    return SignInLives(sign_up=timedelta(hours=web.sign_up_hours), device=timedelta(days=web.device_days))


def _sign_in_bounds(live: LiveSettings) -> SignInBounds:
    limits = live.current.limits
    return SignInBounds(failures_max=limits.sign_in_failures_max, block_seconds=limits.sign_in_block_seconds)


def _calendar_limits(live: LiveSettings) -> CalendarLimits:
    limits = live.current.limits
    return CalendarLimits(calendars_max=limits.calendars_per_account, events_max=limits.events_per_calendar)


def _calendar_service(live: LiveSettings, database: Database) -> CalendarService:
    return CalendarService(
        database,
        _calendar_options(live.current),
        feed_secret=live.current.web.feed_secret,
        limits=partial(_calendar_limits, live),
        new_id=uuid4,
        now=_now,
    )


def _calendar_options(settings: Settings) -> CalendarOptions:
    return CalendarOptions(
        public_url=settings.web.public_url.rstrip("/"),
        uid_domain=settings.calendars.uid_domain,
        exam_minutes=settings.calendars.exam_minutes,
        cancelled_days=settings.calendars.cancelled_days,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _retries(settings: Settings) -> RetryPolicy:
    return RetryPolicy(
        retries_max=settings.jobs.retries_max,
        backoff=Backoff(
            base_seconds=settings.jobs.backoff_seconds_base,
            max_seconds=settings.jobs.backoff_seconds_max,
            jitter=1,
        ),
    )


def _shares(settings: Settings) -> ShareOptions:
    return ShareOptions(
        quick_seconds=settings.jobs.quick_cpu_seconds,
        slow_seconds=settings.worker.cpu_seconds_max,
        half_life_seconds=settings.jobs.share_half_life_seconds,
    )


def _rate(settings: Settings) -> RateOptions:
    jobs = settings.jobs
    return RateOptions(window_seconds=jobs.rate_window_seconds, assumed_per_minute=jobs.assumed_rate_per_minute)
