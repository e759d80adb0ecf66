"""A process starts with every value that the settings accept. All others are refused with the name of the setting."""

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

#: Values that are invalid for some setting. No server listens at port 1.
VALUES = (
    *("", " ", "x", "a b", "ü", "0", "-1", "inf", "nan", "1e308", "99999999999999999999", "127.0.0.1/33"),
    *("h:abc", "h:99999", "h/p", "::1", "http://h", "http://h:abc", "http://h:99999", "http://[::1", "http://"),
    *("redis://h:abc", "redis://h:99999", "redis://", "postgresql://h:abc/x"),
    *("redis://h/x", "redis://h?db=x", "redis://h?foo=1", "redis://h?socket_timeout=a", "redis://h?ssl_cert_reqs=none"),
    *("rediss://h/1?ssl_check_hostname=false&protocol=2", "redis://h?protocol=9", "rediss://h?ssl_cert_reqs=x"),
    *("redis://h?db=3&client_name=a", "rediss://h?ssl_ca_certs=/a", "redis://h?db"),
)
#: The groups from which pools and clients are created.
GROUPS = ("postgres", "redis", "objects", "web", "consul")


def environment() -> dict[str, str]:
    """An environment in which no server is reachable."""
    addresses = Addresses(
        postgres_dsn="postgresql://127.0.0.1:1/none",
        redis_state_url="redis://127.0.0.1:1",
        redis_cache_url="redis://127.0.0.1:1",
        objects=BucketAddress(endpoint="127.0.0.1:1", access_key="key", secret_key="secret", bucket="uploads"),
    )
    return addresses.environment({"CONSUL_START_SECONDS": "0", "POSTGRES_POOL_SIZE_MIN": "0"})


def loaded(more: dict[str, str]) -> Settings | None:
    """The loaded settings, or None if they are refused with the variable's name."""
    try:
        return load(environment() | more, process="api")
    except SettingsError as error:
        assert all(variable in str(error) for variable in more)  # noqa: PT017 - accepted values are tried as well
        return None


@pytest.mark.parametrize(
    "field", [field for field in fields() if field.group in GROUPS], ids=lambda field: field.variable
)
async def test_a_process_starts_with_every_value_that_is_accepted(field: SettingField) -> None:
    """A refusal names the setting (exit code 78). Otherwise the process would end with an error of a library."""
    for value in VALUES:
        settings = loaded({field.variable: value})
        if settings is None:
            continue
        async with open_services(LiveSettings(settings), role="api") as services:
            assert services.calendars
            # Only the connection checks the options of a URL.
            for redis in (services.redis_state, services.redis_cache):
                assert redis.connection_pool.make_connection()
        assert ClientAddresses(settings.web.trusted_proxies)
        assert all(origin_of(url) for url in (settings.web.public_url, *settings.web.origins))


def test_an_api_without_the_key_of_feeds_says_so_and_does_not_start() -> None:
    """An empty key counts as a missing one."""
    own = os.environ | environment() | {"UPSCHEDULE_WEB_FEED_SECRET": "", "UPSCHEDULE_WEB_PORT": "1"}
    command = [sys.executable, "-m", "upschedule", "serve"]
    done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == os.EX_CONFIG
    assert done.stderr.startswith("UPSCHEDULE_WEB_FEED_SECRET: must be set")


def test_other_processes_need_no_key_of_feeds() -> None:
    """An empty key is accepted for them."""
    for process in ("worker", "scheduler"):
        assert load(environment() | {"UPSCHEDULE_WEB_FEED_SECRET": ""}, process=process).web.feed_secret == ""


@pytest.mark.parametrize(
    ("variable", "texts"),
    [
        (
            "UPSCHEDULE_POSTGRES_URL",
            (
                *("postgresql://h:abc/x", "postgresql://h:99999/x", "postgresql://u:p@w@h/x", "postgresql://h/x?foo=1"),
                *("postgresql://h/x?sslmode=full", "postgresql://[::1/x", "postgresql://u:%zz@h/x", "http://h"),
                "postgresql://a b/x",
            ),
        ),
        ("UPSCHEDULE_POSTGRES_OWNER_URL", ("owner", "postgresql://h:abc/x")),
        ("UPSCHEDULE_REDIS_STATE_URL", ("redis://h?socket_timeout=a", "redis://h?foo=1", "redis://h/first", "h:6379")),
        ("UPSCHEDULE_OBJECTS_ENDPOINT", ("http://h:1", "h:99999")),
        ("UPSCHEDULE_CONSUL_ADDRESS", ("h:8500", "http://h:abc", "http://h:8500/v1")),
        ("UPSCHEDULE_WEB_PUBLIC_URL", ("schedule.example", "https://h:99999/")),
        ("UPSCHEDULE_WEB_ORIGINS", ("https://a, b", "https://a/b")),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_a_sentence(variable: str, texts: tuple[str, ...]) -> None:
    """Otherwise a process would start and never become ready, or end with an error of a library."""
    for text in texts:
        with pytest.raises(SettingsError) as caught:
            load(environment() | {variable: text}, process="api")
        assert f"{variable}: cannot be used: write " in str(caught.value), text
        assert text not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        *("postgres://h", "postgresql://u:p%40w@h:5432/x?sslmode=verify-full&sslrootcert=/a.pem&connect_timeout=3"),
        *("postgresql://[::1]:5432/x", "postgresql://a:1,b:2/x?target_session_attrs=read-write"),
        "postgresql:///x?host=/run/postgresql",
    ],
)
def test_a_url_of_postgresql_that_its_library_takes_is_accepted(text: str) -> None:
    assert load(environment() | {"UPSCHEDULE_POSTGRES_URL": text}).postgres.url == text
