"""`upschedule settings` shows the settings to an operator, and hides secrets."""

import os
from io import BytesIO

import msgspec
import pytest
from click.testing import CliRunner, Result

from upschedule.cli.settings import command

SECRETS = {
    "UPSCHEDULE_POSTGRES_URL": "postgresql://app:hunter2@db.example:5432/upschedule?password=hunter2",
    "UPSCHEDULE_REDIS_STATE_URL": "redis://:hunter2@state.example:6379/0",
    "UPSCHEDULE_REDIS_CACHE_URL": "redis://:hunter2@cache.example:6379/0",
    "UPSCHEDULE_OBJECTS_ACCESS_KEY": "hunter2",
    "UPSCHEDULE_OBJECTS_SECRET_KEY": "hunter2",
    "UPSCHEDULE_WEB_FEED_SECRET": "hunter2 hunter2 hunter2 hunter2 hunter2",
    "UPSCHEDULE_CONSUL_TOKEN": "hunter2",
}
ENVIRONMENT = SECRETS | {
    "UPSCHEDULE_OBJECTS_ENDPOINT": "objects.example:8333",
    "UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR": "12",
}


def run(*arguments: str, environment: dict[str, str] | None = None, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(command, arguments, env=environment or {}, input=BytesIO(stdin))


def test_each_setting_is_shown_with_its_value_and_source() -> None:
    result = run("--json", environment=ENVIRONMENT)
    rows = {row["variable"]: row for row in msgspec.json.decode(result.stdout)}

    assert result.exit_code == 0
    assert rows["UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR"] == {
        "variable": "UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR",
        "value": "12",
        "source": "environment",
        "key": "upschedule/settings/limits/uploads_per_hour",
    }
    assert (rows["UPSCHEDULE_WEB_PORT"]["source"], rows["UPSCHEDULE_WEB_PORT"]["key"]) == ("default", None)


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_no_secret_is_shown_but_where_it_leads_is(form: tuple[str, ...]) -> None:
    """Host and port help during an incident. User, password and options stay hidden (R8.2)."""
    result = run(*form, environment=ENVIRONMENT)

    assert "hunter2" not in result.output
    assert "postgresql://db.example:5432/upschedule" in result.output
    assert "redis://state.example:6379/0" in result.output


def test_wrong_settings_are_named() -> None:
    result = run(environment=ENVIRONMENT | {"UPSCHEDULE_WEB_PORT": "none"})

    assert result.exit_code == os.EX_CONFIG
    assert "UPSCHEDULE_WEB_PORT" in result.stderr


def test_a_consul_that_does_not_answer_is_reported_beside_the_environments_values() -> None:
    """No server listens at port 1."""
    result = run(environment=ENVIRONMENT | {"UPSCHEDULE_CONSUL_ADDRESS": "http://127.0.0.1:1"})

    assert result.exit_code == os.EX_UNAVAILABLE
    assert "Consul did not answer" in result.stderr
    assert "UPSCHEDULE_WEB_PORT" in result.stdout


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("limits/uploads_per_hour", "20", os.EX_OK),
        ("upschedule/settings/limits/uploads_per_hour", "20", os.EX_OK),
        ("limits/uploads_per_hour", "none", os.EX_DATAERR),
        ("limits/uploads_per_our", "20", os.EX_DATAERR),
        ("maintenance/message", "x" * 301, os.EX_DATAERR),
        ("academic_years/2027", "{}", os.EX_DATAERR),
    ],
)
def test_a_value_can_be_tried_before_it_is_written(key: str, value: str, code: int) -> None:
    """The command needs no settings in the environment, so it runs on an operator's own machine."""
    assert run("check", key, value).exit_code == code


def test_the_dates_of_a_year_can_be_tried_from_a_file() -> None:
    year = (
        b'{"source": "Yearbook", "confirmed": true, "dates": {"terms": {"S1": {"start": "2027-02-08", "end": "%s"}}}}'
    )

    assert run("check", "academic_years/2027", "-", stdin=year % b"2027-05-21").exit_code == os.EX_OK
    assert run("check", "academic_years/2027", "-", stdin=year % b"2026-05-21").exit_code == os.EX_DATAERR
