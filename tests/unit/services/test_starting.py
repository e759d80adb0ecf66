"""A process starts with every value that the settings accept; others are refused with the name of the setting."""

import os
import subprocess
import sys

import pytest

from tests.support.services import Addresses
from upschedule.services import LiveSettings, open_services
from upschedule.settings import Settings
from upschedule.settings.loading import SettingField, SettingsError, fields, load
from upschedule.stores.bucket import BucketAddress
from upschedule.web.http.client_addresses import ClientAddresses, origin_of

#: Values that some setting or other cannot have. Nothing listens at port 1.
VALUES = (
    *("", " ", "x", "a b", "ü", "0", "-1", "inf", "nan", "1e308", "99999999999999999999", "127.0.0.1/33"),
    *("h:abc", "h:99999", "h/p", "::1", "http://h", "http://h:abc", "http://h:99999", "http://[::1", "http://"),
    *("redis://h:abc", "redis://h:99999", "redis://", "postgresql://h:abc/x"),
)
#: The groups that pools and clients are made of.
GROUPS = ("postgres", "redis", "objects", "web", "consul")


def environment() -> dict[str, str]:
    """All servers are away."""
    addresses = Addresses(
        postgres_dsn="postgresql://127.0.0.1:1/none",
        redis_state_url="redis://127.0.0.1:1",
        redis_cache_url="redis://127.0.0.1:1",
        objects=BucketAddress(endpoint="127.0.0.1:1", access_key="key", secret_key="secret", bucket="uploads"),
    )
    return addresses.environment({"CONSUL_START_SECONDS": "0", "POSTGRES_POOL_SIZE_MIN": "0"})


def loaded(more: dict[str, str]) -> Settings | None:
    """None if they are refused by name."""
    try:
        return load(environment() | more, process="api")
    except SettingsError as error:
        assert all(variable in str(error) for variable in more)  # noqa: PT017 - accepted values are tried as well
        return None


@pytest.mark.parametrize(
    "field", [field for field in fields() if field.group in GROUPS], ids=lambda field: field.variable
)
async def test_a_process_starts_with_every_value_that_is_accepted(field: SettingField) -> None:
    """A refusal names the setting (exit code 78); without it, the process would end with an error of a library."""
    for value in VALUES:
        settings = loaded({field.variable: value})
        if settings is None:
            continue
        async with open_services(LiveSettings(settings), role="api") as services:
            assert services.calendars
        assert ClientAddresses(settings.web.trusted_proxies)
        assert all(origin_of(url) for url in (settings.web.public_url, *settings.web.origins))


def test_an_api_without_the_key_of_feeds_says_so_and_does_not_start() -> None:
    """An empty one is none."""
    own = os.environ | environment() | {"UPSCHEDULE_WEB_FEED_SECRET": "", "UPSCHEDULE_WEB_PORT": "1"}
    command = [sys.executable, "-m", "upschedule", "serve"]
    done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == os.EX_CONFIG
    assert done.stderr.startswith("UPSCHEDULE_WEB_FEED_SECRET: must be set")


def test_other_processes_need_no_key_of_feeds() -> None:
    """They may be given an empty one."""
    for process in ("worker", "scheduler"):
        assert load(environment() | {"UPSCHEDULE_WEB_FEED_SECRET": ""}, process=process).web.feed_secret == ""
