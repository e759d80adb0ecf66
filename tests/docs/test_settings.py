"""`docs/settings.md` says what `settings/` says, and every setting does something."""

import ast
from typing import Any

import pytest

from tests.support.paths import ROOT
from tools import kv_schema, settings_page
from upschedule.settings import loading


def test_every_setting_is_documented_with_its_default() -> None:
    """The page is written by `python -m tools.settings_page`; a setting changed without it is caught here."""
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")

    assert page == settings_page.render()


def test_every_key_of_consul_is_described_with_its_bounds() -> None:
    """The file is written by `python -m tools.kv_schema`: what an operator reads there is what processes check."""
    file = (ROOT / "consul/kv/settings.json").read_text(encoding="utf-8")

    assert file == kv_schema.render()


def test_no_secret_may_change_live() -> None:
    """Changes are written into the log, old value and new (R8.2)."""
    assert [field.variable for field in loading.fields() if field.live and field.secret] == []


def test_what_opens_a_door_is_a_secret() -> None:
    """The name decides: a new password without its mark would be shown by `upschedule settings`."""
    telling = ("secret", "token", "password", "access_key")
    open_ones = [
        field.variable
        for field in loading.fields()
        if not field.secret and (any(word in field.name for word in telling) or field.name.endswith("_url"))
    ]

    assert open_ones == ["UPSCHEDULE_WEB_PUBLIC_URL"]


def test_every_setting_is_read() -> None:
    """It is read as an attribute or under the variable's name, anywhere except in `settings/`, which declares it."""
    package = ROOT / "src/upschedule"
    readers = [path for path in package.rglob("*.py") if not path.is_relative_to(package / "settings")]
    nodes = [node for path in readers for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    read |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}

    assert [field.variable for field in loading.fields() if not {field.name, field.variable} & read] == []


def test_a_bad_start_names_every_wrong_setting_at_once() -> None:
    """One start shows all there is to mend: missing, malformed, out of range and misspelt."""
    environment = {
        "UPSCHEDULE_WEB_PORT": "99999",
        "UPSCHEDULE_JOBS_RETRIES_MAX": "three",
        "UPSCHEDULE_JOBS_RETRYS_MAX": "3",
    }

    with pytest.raises(loading.SettingsError) as raised:
        loading.load(environment, process="api")

    for name in (*environment, "UPSCHEDULE_POSTGRES_URL", "UPSCHEDULE_WEB_FEED_SECRET"):
        assert f"{name}: " in str(raised.value)


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("UPSCHEDULE_JOBS_RETRYS_MAX", "3", "no such setting; the nearest is UPSCHEDULE_JOBS_RETRIES_MAX"),
        ("UPSCHEDULE_XYZ", "3", "no such setting"),
        ("UPSCHEDULE_WEB_TRUSTED_PROXIES", "10.0.0.5/24", "10.0.0.5/24 has host bits set"),
        ("UPSCHEDULE_WEB_TRUSTED_PROXIES", "traefik", "'traefik' does not appear to be an IPv4 or IPv6 network"),
        (
            "UPSCHEDULE_WEB_PUBLIC_URL",
            "schedule.example.org",
            "cannot be used: write http://HOST:PORT/ or https://HOST/",
        ),
        ("UPSCHEDULE_POSTGRES_POOL_SIZE_MIN", "81", "is 81, above UPSCHEDULE_POSTGRES_POOL_SIZE_MAX, which is 80"),
        ("UPSCHEDULE_POSTGRES_WORKER_POOL_SIZE_MAX", "1", "UPSCHEDULE_POSTGRES_WORKER_POOL_SIZE_MIN: is 2, above"),
        ("UPSCHEDULE_JOBS_HEARTBEAT_SECONDS", "8", "is 8.0, not below UPSCHEDULE_JOBS_LEASE_SECONDS, which is 8.0"),
        ("UPSCHEDULE_JOBS_LEASE_SECONDS", "2", "UPSCHEDULE_JOBS_HEARTBEAT_SECONDS: is 2.5, not below"),
        ("UPSCHEDULE_SCHEDULER_LEASE_SECONDS", "2", "UPSCHEDULE_SCHEDULER_HEARTBEAT_SECONDS: is 2.0, not below"),
        ("UPSCHEDULE_ROLLOUT_RENEW_SECONDS", "31.5", "is 31.5, not below UPSCHEDULE_ROLLOUT_SILENT_SECONDS"),
    ],
)
def test_what_would_end_a_process_later_is_reported_at_its_start(variable: str, value: str, reason: str) -> None:
    """A network that is none and a pool that cannot be opened ended it in the middle, with a traceback.

    A lease that is not renewed in time would be lost by each worker and leader, again and again.
    """
    with pytest.raises(loading.SettingsError) as raised:
        loading.load({variable: value})

    assert reason in str(raised.value)


def test_requirements_give_the_defaults() -> None:
    """Every limit in the requirements is a setting with that default."""
    defaults: dict[str, Any] = {field.variable.removeprefix("UPSCHEDULE_"): field.default for field in loading.fields()}

    assert defaults["UPLOADS_PAGES_MAX"] == 100  # R1.4
    assert defaults["JOBS_ATTEMPT_SECONDS_MAX"] == 5 * 60  # R1.5
    assert defaults["JOBS_RETRIES_MAX"] == 3  # R2.1
    assert defaults["JOBS_PENDING_MAX"] == 500  # R2.2
    assert defaults["JOBS_LEASE_SECONDS"] + defaults["JOBS_SWEEP_SECONDS"] <= 30  # R2.3
    assert defaults["JOBS_MESSAGE_HOURS_MAX"] == 1  # R2.4
    assert defaults["JOBS_DEAD_LETTER_HOURS"] == 24  # R2.5
    assert 50 <= defaults["POSTGRES_POOL_SIZE_MIN"] <= defaults["POSTGRES_POOL_SIZE_MAX"] <= 100  # R3.1
    assert defaults["POSTGRES_STATEMENT_SECONDS"] == 10  # R3.2
    assert defaults["POSTGRES_WAIT_SECONDS"] == 30  # R3.3, R3.5
    assert defaults["JOBS_STATUS_CACHE_SECONDS_FINAL"] == 3600  # R4.1
    assert defaults["JOBS_STATUS_CACHE_SECONDS_PENDING"] == 60  # R4.2
    assert defaults["LIMITS_UPLOADS_PER_HOUR"] == 10  # R5.1
    assert defaults["LIMITS_STATUS_PER_MINUTE"] == 100  # R5.2
    assert defaults["LIMITS_REQUESTS_PER_SECOND"] == 100  # R5.4
    assert defaults["LIMITS_SIGN_IN_FAILURES_MAX"] == 5  # R8.5
    assert defaults["UPLOADS_SIZE_BYTES_MAX"] == 10 * 1024 * 1024  # R11.3
    assert defaults["UPLOADS_QUOTA_BYTES"] == 50 * 1024 * 1024  # R11.4
    assert defaults["UPLOADS_KEEP_HOURS"] == 24  # R11.5
