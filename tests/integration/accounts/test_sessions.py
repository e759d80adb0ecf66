"""Sessions in PostgreSQL and their cache in the state Redis (R10.3)."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from redis.asyncio import Redis

from tests.support.fault_proxy import FaultProxy
from tests.support.identities import as_process
from tests.support.services import Addresses, new_account, opened
from upschedule.accounts.devices import DeviceRepository
from upschedule.accounts.logins import SignInLives
from upschedule.accounts.mail_repository import MailRepository
from upschedule.accounts.random_ids import hash_of
from upschedule.accounts.repository import AccountRepository
from upschedule.accounts.retention import AccountRetention
from upschedule.accounts.session_cache import SessionCache
from upschedule.accounts.session_repository import SessionLives, SessionRepository
from upschedule.accounts.sessions import KnownSession, SessionStore
from upschedule.accounts.sign_ups import SignUpRepository
from upschedule.services import LiveSettings, Services, open_services
from upschedule.settings.loading import load
from upschedule.stores.database import Database
from upschedule.stores.errors import StoreError
from upschedule.stores.redis import connect

DAY = timedelta(days=1)
LIVES = SessionLives(idle=10 * DAY, absolute=30 * DAY)
SIGN_IN_LIVES = SignInLives(sign_up=DAY, device=40 * DAY, reset=DAY / 24)
UNUSED = 548 * DAY
BEGINNING = datetime(2026, 3, 2, 8, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = BEGINNING

    def __call__(self) -> datetime:
        return self.time


class House:
    """A session service with its own clock, its database and its cache."""

    def __init__(self, database: Database, redis: Redis, *, schedulers: Database) -> None:
        """`schedulers` has the role of the scheduler, which alone may remove unused accounts."""
        self.database, self.redis, self.clock = database, redis, Clock()
        self.schedulers = schedulers
        self.cache = SessionCache(redis)
        self.sessions = SessionStore(database, self.cache, lives=LIVES, now=self.clock)
        self.retention = self.retention_with(self.cache)

    def retention_with(self, cache: SessionCache) -> AccountRetention:
        return AccountRetention(
            self.schedulers, cache, lives=LIVES, sign_in_lives=SIGN_IN_LIVES, unused=UNUSED, now=self.clock
        )

    async def begin(self, account: UUID) -> str:
        async with self.database.transaction() as connection:
            begun = await self.sessions.begin(connection, account)
        await self.sessions.cache(begun)
        return begun.session_id

    async def end(self, session_id: str) -> None:
        async with self.database.transaction() as connection:
            ended = await self.sessions.end(connection, session_id)
        await self.sessions.invalidate(ended)

    async def account_of(self, session_id: str) -> UUID | None:
        known = await self.sessions.find(session_id)
        return known.account_id if known else None

    async def rows(self) -> list[bytes]:
        async with self.database.transaction() as connection:
            cursor = await connection.execute("SELECT id_hash FROM sessions")
            return [row["id_hash"] for row in await cursor.fetchall()]


@pytest.fixture
async def services(addresses: Addresses) -> AsyncIterator[Services]:
    async with opened(addresses) as services:
        yield services


@pytest.fixture
async def house(services: Services, addresses: Addresses) -> AsyncIterator[House]:
    live = LiveSettings(load(as_process(addresses.environment(), "scheduler")))
    async with open_services(live, role="scheduler") as scheduler:
        yield House(services.database, services.redis_state, schedulers=scheduler.database)


@pytest.fixture
async def account(services: Services) -> UUID:
    return await new_account(services)


def previous_key(session_id: str) -> str:
    """The Redis key of a session in the previous release. Its value is the account's sixteen bytes."""
    return f"session:{hashlib.sha256(session_id.encode()).hexdigest()}"


async def test_a_session_is_stored_under_the_hash_of_its_id(house: House, account: UUID) -> None:
    """The contents of Redis and PostgreSQL, and their files, are not enough to sign in (R8.2)."""
    session_id = await house.begin(account)
    stored = b"".join(await house.rows())
    keys: list[Any] = await house.redis.keys("*")
    for key in keys:
        value: Any = await house.redis.get(key)
        stored += key + (value or b"")

    assert await house.account_of(session_id) == account
    assert session_id.encode() not in stored
    assert await house.account_of(hash_of(session_id).hex()) is None


async def test_a_known_session_costs_no_question_to_postgresql(house: House, account: UUID) -> None:
    """Redis is the cache (R10.3). PostgreSQL is queried at most once a minute."""
    session_id = await house.begin(account)
    async with house.database.transaction() as connection:
        await connection.execute("DELETE FROM sessions")

    assert await house.account_of(session_id) == account
    assert 0 < await house.redis.ttl(f"session-cache:{hash_of(session_id).hex()}") <= 60


async def test_a_session_lives_on_when_used(house: House, account: UUID) -> None:
    """The use is stored once a day, not with every request."""
    session_id = await house.begin(account)
    answers: list[KnownSession | None] = []
    for hours in (23, 2, 1):
        house.clock.time += timedelta(hours=hours)
        answers.append(await house.sessions.find(session_id))

    assert [known and known.renewed for known in answers] == [False, True, False]
    house.clock.time = BEGINNING + 11 * DAY
    assert await house.account_of(session_id) == account


async def test_a_use_that_cannot_be_stored_still_identifies_the_visitor(
    house: House, account: UUID, postgres_owner_dsn: str
) -> None:
    """Reading works on a full disk. The next use after that is stored."""
    session_id = await house.begin(account)
    house.clock.time += DAY
    full = """
        CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER full_disk BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION full_disk();
    """
    async with await psycopg.AsyncConnection.connect(postgres_owner_dsn, autocommit=True) as owner:
        await owner.execute(full)
        meanwhile = await house.sessions.find(session_id)
        await owner.execute("DROP TRIGGER full_disk ON sessions")
    after = await house.sessions.find(session_id)

    assert [(known.account_id, known.renewed) for known in (meanwhile, after) if known] == [
        (account, False),
        (account, True),
    ]


async def test_a_session_ends_when_it_is_not_used(house: House, account: UUID) -> None:
    """It makes no difference whether Redis still has the session."""
    cached, uncached = await house.begin(account), await house.begin(account)
    await house.redis.delete(f"session-cache:{hash_of(uncached).hex()}")
    house.clock.time += LIVES.idle

    assert await house.account_of(cached) is None
    assert await house.account_of(uncached) is None


async def test_a_session_ends_at_its_age_however_much_it_is_used(house: House, account: UUID) -> None:
    """The cookie's lifetime ends at the same time."""
    session_id = await house.begin(account)
    known = None
    for _ in range(29):
        house.clock.time += DAY
        known = await house.sessions.find(session_id)

    assert known
    assert known.seconds == DAY.total_seconds()
    house.clock.time += DAY
    assert await house.account_of(session_id) is None


async def test_redis_without_its_data_ends_no_session(house: House, account: UUID) -> None:
    """Later requests fill the cache again."""
    session_id = await house.begin(account)
    await house.redis.flushall()

    assert await house.account_of(session_id) == account
    assert await house.redis.exists(f"session-cache:{hash_of(session_id).hex()}")


async def test_an_ended_session_is_gone_from_both(house: House, account: UUID) -> None:
    session_id, other = await house.begin(account), await house.begin(account)
    await house.end(session_id)

    assert await house.account_of(session_id) is None
    assert await house.account_of(other) == account
    await house.redis.flushall()
    assert await house.account_of(session_id) is None
    await house.end(session_id)


async def test_a_session_that_was_read_before_it_ended_is_not_cached_after(house: House, account: UUID) -> None:
    """A request may be in progress while its session signs out."""
    session_id = await house.begin(account)
    await house.redis.flushall()
    async with house.database.transaction() as connection:
        read = await SessionRepository(connection).find(hash_of(session_id))
    assert read
    await house.end(session_id)
    await house.cache.store(read, LIVES.idle)

    assert await house.account_of(session_id) is None
    assert not await house.redis.exists(previous_key(session_id))


async def test_signing_out_without_redis_is_done_in_postgresql_and_says_that_it_may_not_be_all(
    addresses: Addresses, house: House, account: UUID
) -> None:
    """A repetition with Redis completes the sign-out."""
    port = int(addresses.redis_state_url.rpartition(":")[2].partition("/")[0])
    async with FaultProxy(port) as wire:
        url = addresses.redis_state_url.replace(f":{port}", f":{wire.port}")
        redis = connect(url, command_seconds=1, connections_max=4)
        far = House(house.database, redis, schedulers=house.schedulers)
        session_id = await far.begin(account)
        await wire.refuse()
        assert await far.account_of(session_id) == account

        with pytest.raises(StoreError):
            await far.end(session_id)
        assert await far.account_of(session_id) is None
        await wire.restore()
        await far.end(session_id)
        assert await far.account_of(session_id) is None
        await redis.aclose()


async def test_a_session_of_the_previous_release_is_taken_over_at_its_first_use(house: House, account: UUID) -> None:
    """After that, losing Redis does not end the session."""
    session_id = "p" * 43
    await house.redis.set(previous_key(session_id), account.bytes, ex=1000)
    together = await asyncio.gather(*(house.account_of(session_id) for _ in range(20)))

    assert together == [account] * 20
    await house.redis.flushall()
    assert await house.account_of(session_id) == account
    await house.end(session_id)
    assert await house.account_of(session_id) is None


async def test_the_previous_release_knows_sessions_of_this_one(house: House, account: UUID) -> None:
    """Both releases run, and Redis may lose its data. A session that ended here is unknown to the previous release."""
    session_id = await house.begin(account)
    assert await house.redis.get(previous_key(session_id)) == account.bytes
    assert await house.redis.ttl(previous_key(session_id)) > 0.99 * LIVES.idle.total_seconds()
    await house.redis.flushall()
    await house.account_of(session_id)
    assert await house.redis.get(previous_key(session_id)) == account.bytes
    await house.end(session_id)

    assert await house.redis.get(previous_key(session_id)) is None


async def test_what_the_previous_release_still_holds_brings_no_ended_session_back(house: House, account: UUID) -> None:
    """The same is true for a session of a deleted account."""
    session_id, orphan = await house.begin(account), "o" * 43
    await house.end(session_id)
    await house.redis.set(previous_key(session_id), account.bytes, ex=1000)
    await house.redis.set(previous_key(orphan), uuid4().bytes, ex=1000)
    await house.redis.delete(f"session-cache:{hash_of(session_id).hex()}")

    assert await house.account_of(session_id) is None
    assert await house.account_of(orphan) is None


async def test_signing_up_in_the_previous_release_ends_what_knew_the_visitor(house: House, account: UUID) -> None:
    """That release changes only the account. A trigger in the database ends the sessions."""
    session_id = await house.begin(account)
    async with house.database.transaction() as connection:
        await AccountRepository(connection).sign_up(account, email="a@example.org", password_hash="x")
    await house.redis.flushall()

    assert await house.account_of(session_id) is None


async def test_ended_sessions_are_removed_and_no_others(house: House, account: UUID) -> None:
    """These are sessions that were signed out, unused for too long, or too old."""
    unused, old = await house.begin(account), await house.begin(account)
    for _ in range(6):
        house.clock.time += 5 * DAY
        await house.account_of(old)
    signed_out, still_valid = await house.begin(account), await house.begin(account)
    await house.end(signed_out)
    assert len(await house.rows()) == 4
    await house.retention.remove_old()

    assert await house.rows() == [hash_of(still_valid)]
    assert {await house.account_of(session_id) for session_id in (unused, old, signed_out)} == {None}


async def test_a_pass_of_the_retention_is_bounded(house: House, account: UUID) -> None:
    async with house.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO sessions SELECT sha256(n::text::bytea), %s, %s, %s, %s FROM generate_series(1, 700) n",
            [account, BEGINNING, BEGINNING, BEGINNING],
        )
    await house.retention.remove_old()
    assert len(await house.rows()) == 200
    await house.retention.remove_old()
    assert await house.rows() == []


async def test_a_row_stays_until_redis_has_forgotten_its_session(
    addresses: Addresses, house: House, account: UUID
) -> None:
    """Otherwise the key of the previous release would make the session valid again."""
    session_id = await house.begin(account)
    house.clock.time += LIVES.idle
    async with FaultProxy(1) as nowhere:
        await nowhere.refuse()
        away = connect(f"redis://127.0.0.1:{nowhere.port}/0", command_seconds=1, connections_max=2)
        await house.retention_with(SessionCache(away)).remove_old()
        await away.aclose()
    assert await house.rows() == [hash_of(session_id)]
    await house.redis.set(previous_key(session_id), account.bytes, ex=1000)
    await house.retention.remove_old()

    assert await house.rows() == []
    assert await house.account_of(session_id) is None


async def test_sign_ups_links_messages_and_devices_that_are_not_used_are_removed(house: House, account: UUID) -> None:
    """Each has its own time. Until it is removed, it is valid only within that time."""
    async with house.database.transaction() as connection:
        await SignUpRepository(connection).upsert(
            email="a@example.org", password_hash="x", visitor_id=account, token_hash=None, now=house.clock()
        )
        await DeviceRepository(connection).upsert(old=None, new=b"1", account_id=account, now=house.clock())
        await MailRepository(connection).insert(account, "reset", "a@example.org", house.clock())
        await connection.execute(
            "INSERT INTO password_resets (token_hash, account_id, created_at) VALUES ('1', %s, %s)",
            (account, house.clock()),
        )

    async def remaining_rows() -> list[str]:
        await house.retention.remove_old()
        async with house.database.transaction() as connection:
            return [
                table
                for table in ("password_resets", "sign_ups", "mails", "devices")
                if (await connection.execute(f"SELECT FROM {table}".encode())).rowcount
            ]

    house.clock.time = BEGINNING + timedelta(minutes=59)
    assert await remaining_rows() == ["password_resets", "sign_ups", "mails", "devices"]
    house.clock.time = BEGINNING + timedelta(hours=23)
    assert await remaining_rows() == ["sign_ups", "mails", "devices"]
    house.clock.time = BEGINNING + DAY
    assert await remaining_rows() == ["devices"]
    house.clock.time = BEGINNING + 40 * DAY
    assert await remaining_rows() == []


async def test_the_scheduler_has_the_rights_for_it(addresses: Addresses, house: House, account: UUID) -> None:
    """The scheduler uses its own names and passwords (decision 16)."""
    session_id = await house.begin(account)
    async with house.database.transaction() as connection:
        await SignUpRepository(connection).upsert(
            email="a@example.org", password_hash="x", visitor_id=account, token_hash=None, now=house.clock()
        )
        await DeviceRepository(connection).upsert(old=None, new=b"1", account_id=account, now=house.clock())
        await MailRepository(connection).insert(account, "reset", "a@example.org", house.clock())
        await connection.execute(
            "INSERT INTO password_resets (token_hash, account_id, created_at) VALUES ('1', %s, %s)",
            (account, house.clock()),
        )
    live = LiveSettings(load(as_process(addresses.environment(), "scheduler")))
    async with open_services(live, role="scheduler") as scheduler:
        await scheduler.account_retention(now=lambda: BEGINNING + 1000 * DAY).remove_old()

    async with house.database.transaction() as connection:
        for table in ("sessions", "sign_ups", "devices", "password_resets", "mails"):
            assert (await connection.execute(f"SELECT FROM {table}".encode())).rowcount == 0
    assert not await house.redis.exists(previous_key(session_id))


async def test_an_account_keeps_its_newest_devices_only(house: House, account: UUID) -> None:
    """An account keeps twenty devices."""
    async with house.database.transaction() as connection:
        devices = DeviceRepository(connection)
        for number in range(25):
            house.clock.time += timedelta(hours=1)
            await devices.upsert(old=None, new=bytes([number]), account_id=account, now=house.clock())
        known = [await devices.exists(bytes([number]), account, since=BEGINNING) for number in range(25)]

    assert known == [False] * 5 + [True] * 20
