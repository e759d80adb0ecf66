"""Builds the objects that use the stores, from the settings."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from upschedule.accounts.exemptions import Exemptions
from upschedule.accounts.logins import Logins, SignInLives
from upschedule.accounts.mailer import Mailer, MailOptions
from upschedule.accounts.own_account import DeleteDocuments, OwnAccount
from upschedule.accounts.password_check import PasswordCheck
from upschedule.accounts.password_resets import PasswordResets
from upschedule.accounts.retention import AccountRetention
from upschedule.accounts.service import AccountService
from upschedule.accounts.session_cache import SessionCache
from upschedule.accounts.session_repository import SessionLives
from upschedule.accounts.sessions import SessionStore
from upschedule.accounts.throttle import SignInThrottle
from upschedule.backoff import Backoff
from upschedule.calendars.feeds import FeedService
from upschedule.calendars.model import CalendarOptions
from upschedule.calendars.service import CalendarService
from upschedule.calendars.shares import ShareService
from upschedule.calendars.years import AcademicYearStore
from upschedule.metrics import POOL_CONNECTIONS, POOL_WAITING, RELEASE_INFO
from upschedule.pdf import READER_VERSION
from upschedule.pdf.sandbox import Sandbox
from upschedule.processing.canary import Canary
from upschedule.processing.canary_share import CanaryShare
from upschedule.processing.doorbell import Doorbell
from upschedule.processing.intake import Intake
from upschedule.processing.operators.changes import OperatorChanges
from upschedule.processing.operators.questions import OperatorQuestions
from upschedule.processing.pictures import PictureDesk, RowPictures, block_seconds
from upschedule.processing.provisional import ProvisionalReadings, WorkerRelease
from upschedule.processing.queue import Queue
from upschedule.processing.queue_metrics import QueueMetrics
from upschedule.processing.reports import RowReports
from upschedule.processing.retention import Retention
from upschedule.processing.retry_policy import RetryPolicy
from upschedule.processing.runner import Runner
from upschedule.processing.service import JobService
from upschedule.processing.shares import AddressHash, ShareOptions
from upschedule.processing.status_cache import StatusCache
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.processing.sweeper import Sweeper
from upschedule.services.opening import QUEUE, Stores
from upschedule.settings import Settings
from upschedule.stores.database import Database
from upschedule.stores.mail_server import MailServer
from upschedule.stores.readiness import DependencyStatus, Pings, ping_all
from upschedule.stores.redis import ping


class Services:
    """The services of a process. Built by `open_services` only. `settings` are those at its start."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self.settings = settings
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
        queue = self._queue = Queue(stores.database, settings=settings.jobs, shares=_shares(settings))
        self.intake = self._intake(queue)
        self.jobs = JobService(
            database=stores.database,
            objects=stores.objects,
            cache=cache,
            broadcaster=self.broadcaster,
            queue=queue,
        )
        #: None where no mail server is set: then the first sign-in makes an account.
        self.mailer = _mailer(settings, stores.database)
        self.accounts, self.own_account, self.password_resets = _account_services(
            settings, stores, self.mailer, delete_documents=self.jobs.delete_all
        )
        self.exemptions = Exemptions(stores.database)
        self.pictures = RowPictures(
            stores.database,
            stores.redis_cache,
            seconds_max=settings.jobs.picture_seconds_max,
            block_seconds=block_seconds(settings),
            new_id=uuid4,
        )
        self.reports = RowReports(stores.database, file_days=settings.jobs.report_file_days, new_id=uuid4)
        self._calendars = _calendar_service(settings, stores.database) if settings.web.feed_secret else None
        self.feeds = FeedService(stores.database, _calendar_options(settings), now=_now)

    @property
    def calendars(self) -> CalendarService:
        """For the API, which alone has the key that feed addresses are derived from."""
        if self._calendars is None:
            raise RuntimeError("UPSCHEDULE_WEB_FEED_SECRET is not set for this process.")
        return self._calendars

    @property
    def shares(self) -> ShareService:
        """For the API, as `calendars`."""
        web = self.settings.web
        return ShareService(
            self.database,
            self.calendars,
            secret=web.feed_secret,
            public_url=web.public_url.rstrip("/"),
            new_id=uuid4,
        )

    async def readiness(self) -> list[DependencyStatus]:
        """Asks all dependencies concurrently and answers within 5 seconds, even if they do not (R6.1)."""
        pings: Pings = {
            "postgres": self.database.ping,
            "redis-state": partial(ping, self.redis_state, "redis-state"),
            "redis-cache": partial(ping, self.redis_cache, "redis-cache"),
            "objects": self.objects.ping,
        }
        return await ping_all(pings, not_needed={"redis-cache"})

    def measure(self) -> None:
        """Brings the gauges of the process up to date; call it before metrics are shown."""
        RELEASE_INFO.labels(release=self.settings.rollout.release or "", reader=READER_VERSION).set(1)
        pool = self.database.statistics()
        POOL_CONNECTIONS.labels(state="open").set(pool["pool_size"])
        POOL_CONNECTIONS.labels(state="free").set(pool["pool_available"])
        POOL_WAITING.set(pool["requests_waiting"])

    def runner(self, sandbox: Sandbox) -> Runner:
        """For a worker, which owns the sandbox."""
        settings = self.settings
        return Runner(
            database=self.database,
            objects=self.objects,
            broadcaster=self.broadcaster,
            doorbell=self._doorbell,
            sandbox=sandbox,
            settings=settings,
            retries=_retries(settings),
            shares=_shares(settings),
            reader_version=READER_VERSION,
            release=settings.rollout.release,
        )

    def picture_desk(self, sandbox: Sandbox) -> PictureDesk:
        """For a worker, which owns the sandbox."""
        return PictureDesk(
            database=self.database,
            objects=self.objects,
            redis=self.redis_cache,
            sandbox=sandbox,
            settings=self.settings,
        )

    def canary(self, runner: Runner, share: Callable[[], float]) -> Canary:
        """For a worker, while it takes `share` of the documents."""
        return Canary(runner, self._doorbell, CanaryShare(self.database), share=share)

    def worker_release(self) -> WorkerRelease:
        """For a worker."""
        return WorkerRelease(self.database, self.settings.rollout)

    def provisional_readings(self) -> ProvisionalReadings:
        """For a scheduler."""
        return ProvisionalReadings(
            database=self.database,
            broadcaster=self.broadcaster,
            doorbell=self._doorbell,
            settings=self.settings.rollout,
            rows_max=self.settings.jobs.sweep_rows_max,
        )

    def sweeper(self) -> Sweeper:
        """For a scheduler."""
        return Sweeper(
            database=self.database,
            broadcaster=self.broadcaster,
            doorbell=self._doorbell,
            settings=self.settings.jobs,
            retries=_retries(self.settings),
            reader_version=READER_VERSION,
        )

    def retention(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Retention:
        """For a scheduler."""
        return Retention(
            database=self.database,
            objects=self.objects,
            redis_state=self.redis_state,
            stream=QUEUE,
            uploads=self.settings.uploads,
            jobs=self.settings.jobs,
            scheduler=self.settings.scheduler,
            now=now,
        )

    def account_retention(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> AccountRetention:
        """For a scheduler."""
        cache = SessionCache(self.redis_state)
        return AccountRetention(
            self.database,
            cache,
            lives=_session_lives(self.settings),
            sign_in_lives=_sign_in_lives(self.settings),
            unused=timedelta(days=self.settings.jobs.unused_days),
            now=now,
        )

    def queue_metrics(self) -> QueueMetrics:
        """For a scheduler."""
        return QueueMetrics(self.database, self.settings.jobs)

    def operator_questions(self) -> OperatorQuestions:
        """For a scheduler."""
        return OperatorQuestions(
            self.database, self._queue, self.objects, settings=self.settings, reader_version=READER_VERSION
        )

    def operator_changes(self) -> OperatorChanges:
        """For a scheduler."""
        return OperatorChanges(self.database, self.broadcaster, self._doorbell, reader_version=READER_VERSION)

    def academic_year_store(self) -> AcademicYearStore:
        """For the watch of Consul's keys, which hands it an operator's dates."""
        return AcademicYearStore(self.database, now=_now)

    def _intake(self, queue: Queue) -> Intake:
        return Intake(
            database=self.database,
            objects=self.objects,
            broadcaster=self.broadcaster,
            doorbell=self._doorbell,
            queue=queue,
            shares=_shares(self.settings),
            addresses=AddressHash(self.settings.web.feed_secret),
            reader_version=READER_VERSION,
            new_id=uuid4,
        )


def _account_services(
    settings: Settings, stores: Stores, mailer: Mailer | None, *, delete_documents: DeleteDocuments
) -> tuple[AccountService, OwnAccount, PasswordResets | None]:
    sessions = SessionStore(stores.database, SessionCache(stores.redis_state), lives=_session_lives(settings), now=_now)
    logins = Logins(stores.database, lives=_sign_in_lives(settings), now=_now)
    passwords = PasswordCheck(SignInThrottle(stores.redis_state), stores.hashing)
    accounts = AccountService(stores.database, sessions, logins, passwords, stores.hashing, mailer=mailer, now=_now)
    own = OwnAccount(
        stores.database, sessions, logins, passwords, stores.hashing, delete_documents=delete_documents, now=_now
    )
    if mailer is None:
        return accounts, own, None
    life = _sign_in_lives(settings).reset
    return accounts, own, PasswordResets(stores.database, sessions, stores.hashing, mailer, life=life, now=_now)


def _mailer(settings: Settings, database: Database) -> Mailer | None:
    """For the API, which alone has the key that links are derived from."""
    web, mail = settings.web, settings.mail
    if not mail.host or not web.feed_secret:
        return None
    options = MailOptions(
        secret=web.feed_secret, public_url=web.public_url.rstrip("/"), sign_up_hours=web.sign_up_hours
    )
    return Mailer(database, MailServer(mail), mail, options, new_id=uuid4, now=_now)


def _session_lives(settings: Settings) -> SessionLives:
    web = settings.web
    return SessionLives(idle=timedelta(days=web.session_days), absolute=timedelta(days=web.session_days_max))


def _sign_in_lives(settings: Settings) -> SignInLives:
    web = settings.web
    return SignInLives(
        sign_up=timedelta(hours=web.sign_up_hours),
        device=timedelta(days=web.device_days),
        reset=timedelta(minutes=settings.mail.reset_minutes),
    )


def _calendar_service(settings: Settings, database: Database) -> CalendarService:
    return CalendarService(
        database,
        _calendar_options(settings),
        feed_secret=settings.web.feed_secret,
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
        yield_seconds=settings.rollout.yield_seconds,
    )
