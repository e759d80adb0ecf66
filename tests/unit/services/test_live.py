"""How Consul's keys, the last valid values and the environment determine the live settings."""

import asyncio

import httpx
import msgspec
import pytest

from tests.support.services import Addresses
from upschedule.services.live import LIVE, SETTINGS_PREFIX, LiveSettings, ValueRefused, key_of, read_key, read_setting
from upschedule.settings import Settings
from upschedule.settings.loading import load
from upschedule.stores.bucket import BucketAddress
from upschedule.stores.consul import KeyValue
from upschedule.web.http.body import Receive, Scope
from upschedule.web.http.boundary import Boundary, Send
from upschedule.web.http.exchange import settings_of

UPLOADS = f"{SETTINGS_PREFIX}limits/uploads_per_hour"
MESSAGE = f"{SETTINGS_PREFIX}maintenance/message"


def base(**more: str) -> Settings:
    """Settings of an environment with every required setting."""
    objects = BucketAddress(endpoint="localhost:1", access_key="key", secret_key="secret", bucket="uploads")
    addresses = Addresses(
        postgres_dsn="postgresql://localhost/none",
        redis_state_url="redis://localhost:1",
        redis_cache_url="redis://localhost:2",
        objects=objects,
    )
    return load(addresses.environment(more))


def entry(key: str, value: bytes, modify_index: int = 7) -> KeyValue:
    return KeyValue(key=key, value=value, modify_index=modify_index)


def test_a_key_wins_over_the_environment_and_its_change_is_returned() -> None:
    """An audit needs the old value, the new value and Consul's index."""
    live = LiveSettings(base(LIMITS_UPLOADS_PER_HOUR="12"))

    changes, refused = live.apply([entry(UPLOADS, b"20\n")])

    assert live.current.limits.uploads_per_hour == 20
    assert [(change.key, change.old, change.new, change.modify_index) for change in changes] == [(UPLOADS, 12, 20, 7)]
    assert refused == []
    assert live.overrides == {UPLOADS: 20}


def test_the_same_keys_again_change_nothing() -> None:
    """Consul also answers after a wait without changes."""
    live = LiveSettings(base())
    live.apply([entry(UPLOADS, b"20")])

    assert live.apply([entry(UPLOADS, b"20")]) == ([], [])


def test_a_deleted_key_gives_way_to_the_environment() -> None:
    live = LiveSettings(base(LIMITS_UPLOADS_PER_HOUR="12"))
    live.apply([entry(UPLOADS, b"20")])

    (change,), _ = live.apply([])

    assert (change.old, change.new, change.modify_index) == (20, 12, None)
    assert live.current == base(LIMITS_UPLOADS_PER_HOUR="12")


@pytest.mark.parametrize("wrong", [b"", b"many", b"0", b"-3", b"2.5", b"9" * 40, b"\xff", b"true", b"[20]", b"20 30"])
def test_a_wrong_value_is_refused_and_the_last_good_one_stays(wrong: bytes) -> None:
    """A typing error removes no limit and does not delay other keys."""
    live = LiveSettings(base())
    live.apply([entry(UPLOADS, b"20")])

    changes, (refused,) = live.apply([entry(UPLOADS, wrong, 8), entry(MESSAGE, b"Soon.")])

    assert live.current.limits.uploads_per_hour == 20
    assert [change.key for change in changes] == [MESSAGE]
    assert (refused.key, refused.modify_index) == (UPLOADS, 8)
    assert refused.reason


def test_a_wrong_value_without_an_earlier_one_leaves_the_environment() -> None:
    live = LiveSettings(base(LIMITS_UPLOADS_PER_HOUR="12"))

    live.apply([entry(UPLOADS, b"many")])

    assert live.current.limits.uploads_per_hour == 12


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("limits/uploads_per_houre", "no such setting; the nearest is upschedule/settings/limits/uploads_per_hour"),
        ("academic_year/2026", "no such setting; the nearest is upschedule/settings/academic_years/YEAR"),
        ("limits", "no such setting"),
        ("limits/uploads_per_hour/x", "no such setting"),
        ("web/port", "UPSCHEDULE_WEB_PORT"),
        ("web/feed_secret", "UPSCHEDULE_WEB_FEED_SECRET"),
    ],
)
def test_a_key_that_is_no_live_setting_is_refused_with_a_hint(name: str, reason: str) -> None:
    """A misspelt key does not count as a change.

    For a setting that is read at the start, the message names its variable.
    """
    live = LiveSettings(base())

    changes, (refused,) = live.apply([entry(key_of(name), b"1")])

    assert changes == []
    assert reason in refused.reason
    assert live.current == base()


@pytest.mark.parametrize("key", sorted(LIVE))
def test_a_key_takes_exactly_what_its_variable_takes(key: str) -> None:
    """Each bound has one definition: the default is valid, and a key refuses the same values as the variable."""
    field = LIVE[key]
    wrong = "x" * 301 if field.name == "message" else "?"

    assert read_setting(key, str(field.default).encode()) == field.default
    with pytest.raises(ValueRefused):
        read_key(key, wrong.encode())


def test_an_empty_message_ends_maintenance() -> None:
    live = LiveSettings(base())
    live.apply([entry(MESSAGE, b"Back at two.")])
    live.apply([entry(MESSAGE, b"")])

    assert live.current.maintenance.message == ""


async def test_a_request_works_with_the_values_of_its_beginning() -> None:
    """This includes the tasks of the request. Another request uses the changed value."""
    live = LiveSettings(base(LIMITS_UPLOADS_PER_HOUR="12"))

    async def uploads_per_hour(scope: Scope) -> int:
        return settings_of(scope).limits.uploads_per_hour

    async def change_and_answer(scope: Scope, _: Receive, send: Send) -> None:
        live.apply([KeyValue(key=f"{SETTINGS_PREFIX}limits/uploads_per_hour", value=b"3", modify_index=7)])
        found = [await uploads_per_hour(scope), await asyncio.create_task(uploads_per_hour(scope))]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": msgspec.json.encode(found)})

    transport = httpx.ASGITransport(app=Boundary(change_and_answer, live))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/")).json() == [12, 12]
        assert (await client.get("/")).json() == [3, 3]
