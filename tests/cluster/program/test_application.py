"""API, workers and scheduler of one release: its source, the number of instances, and the settings."""

import json
import re
from collections.abc import Mapping

import pulumi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parts.application import JOBS, ApplicationConfig, application_settings
from parts.stores import ObjectStoreKeys, Stores
from tests.support.cluster.program.configurations import REQUIRED, problems
from tests.support.cluster.program.nomad_server import Nomad
from tests.support.cluster.program.recorded_engine import Ran, run
from tests.support.cluster.program.whole_program import RELEASED, manifest, up
from tests.support.paths import ROOT

UNPACKED = ROOT / "jobs" / "release" / "unpacked.py"
SERVED = {
    "authority",
    "UPSCHEDULE_POSTGRES_URL",
    "UPSCHEDULE_REDIS_STATE_URL",
    "UPSCHEDULE_REDIS_CACHE_URL",
    "UPSCHEDULE_OBJECTS_ACCESS_KEY",
    "UPSCHEDULE_OBJECTS_SECRET_KEY",
    "UPSCHEDULE_CONSUL_TOKEN",
}
#: Settings as `pulumi config set --path settings.NAME` stores them.
CHOSEN = st.dictionaries(st.from_regex(r"UPSCHEDULE_[A-Z_]{1,12}", fullmatch=True), st.text(max_size=20), max_size=5)


def environment(lines: str) -> dict[str, str]:
    """Parses lines NAME="VALUE" as Nomad does, with the escapes of JSON."""
    found = [line.partition("=") for line in lines.split("\n") if line]
    return {name: json.loads(value) for name, _, value in found}


def settings_of(more: Mapping[str, str]) -> dict[str, str]:
    ran = up({**RELEASED, **more})
    (same,) = {ran.variables(job)["settings"] for job in JOBS}
    return environment(same)


def test_each_task_has_what_it_needs_and_the_owner_is_in_one(released: Ran[list[str]]) -> None:
    """A task that waits for the database gets only its URL; the task that migrates it gets no other secret (R8.1)."""
    items = {path.removeprefix("nomad/jobs/"): set(items) for path, items in released.items.items()}
    found = {path: names for path, names in items.items() if path.startswith(JOBS)}

    assert found == {
        "api/api/prepare": {
            "authority",
            "UPSCHEDULE_POSTGRES_OWNER_URL",
            "UPSCHEDULE_POSTGRES_BACKUP_URL",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        },
        "api/api/serve": {*SERVED, "UPSCHEDULE_WEB_FEED_SECRET"},
        "worker/worker/work": SERVED,
        "worker/worker/wait": {"authority", "UPSCHEDULE_POSTGRES_URL"},
        "scheduler/scheduler/schedule": {*SERVED, "UPSCHEDULE_SCHEDULER_OPERATOR_TOKEN"},
        "scheduler/scheduler/wait": {"authority", "UPSCHEDULE_POSTGRES_URL"},
    }


def test_operators_read_the_token_that_the_scheduler_has(released: Ran[list[str]]) -> None:
    """The token comes from a variable that no task reads and that contains no other secret (R8.1)."""
    token = released.items["operators/ops"]["token"]
    scheduled = released.items["nomad/jobs/scheduler/scheduler/schedule"]

    assert released.items["operators/ops"].keys() == {"token"}
    assert token == scheduled["UPSCHEDULE_SCHEDULER_OPERATOR_TOKEN"]
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert not [name for name, value in scheduled.items() if token in value and "OPERATOR" not in name]


def test_all_three_jobs_are_of_the_one_release(released: Ran[list[str]]) -> None:
    """Each job gets the release with its checksums, and the program that unpacks it on a node."""
    names = ("release", "settings", "secrets_fingerprint")
    (same,) = {tuple(released.variables(job)[name] for name in names) for job in JOBS}
    release = json.loads(same[0])

    assert release["version"] == "1"
    assert release["environment"]["sha256"] == "e" * 64
    assert release["sources"]["sha256"] == "5" * 64
    assert release["user"] == "whole-release"
    assert release["program"] == UNPACKED.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "folder"),
    [
        ({}, "http://object-store.service.consul:8333/releases"),
        (
            {"objectStoreAddress": "s3.example.org:443", "objectStoreSecure": "true"},
            "https://s3.example.org:443/releases",
        ),
        ({"releaseSource": "https://releases.example.org/up/"}, "https://releases.example.org/up"),
        ({"releaseSource": "https://releases.example.org/up"}, "https://releases.example.org/up"),
    ],
    ids=["own store", "store elsewhere", "folder with a slash", "folder"],
)
def test_a_release_comes_from_the_store_or_from_where_the_stack_says(
    nomad: Nomad, settings: dict[str, str], folder: str
) -> None:
    """The file names are those of the manifest."""
    release = json.loads(up({**RELEASED, **settings}).variables("worker")["release"])

    assert release["environment"]["url"] == f"{folder}/environment-1.tar.gz"
    assert release["sources"]["url"] == f"{folder}/sources-1.tar.gz"


@pytest.mark.parametrize(
    ("release", "reason"),
    [
        ("v1", "JSON is malformed: invalid character (byte 0)"),
        ('{"version": "1", "commit": "1a2b"}', "Object missing required field `environment`"),
        (manifest(""), "Expected `str` of length >= 1 - at `$.version`"),
        (
            manifest("1").replace("e" * 64, "E" * 64),
            "Expected `str` matching regex '^[0-9a-f]{64}$' - at `$.environment.sha256`",
        ),
    ],
    ids=["version", "part", "empty version", "wrong checksum"],
)
def test_an_invalid_manifest_is_reported_with_the_reason(release: str, reason: str) -> None:
    """The program refuses an invalid manifest before any node downloads the release."""
    assert problems({**REQUIRED, "release": release}) == {
        "release": f"is no manifest that `upschedule release` prints: {reason}"
    }


@pytest.mark.parametrize(
    "settings", ["", "[]", "words", '{"UPSCHEDULE_LOG_LEVEL": null}', '{"UPSCHEDULE_LOG_LEVEL": {}}']
)
def test_settings_are_names_with_values(settings: str) -> None:
    """A list or null is refused."""
    assert problems({**REQUIRED, "settings": settings})["settings"].startswith(
        "must be an object of names and values: "
    )


def test_settings_of_the_application_are_worked_out(nomad: Nomad) -> None:
    """The program derives these settings from the configuration of the stack."""
    more = {"proxyNetworks": "10.0.0.0/24", "consulAddress": "127.0.0.1:18500"}

    assert settings_of(more) == {
        "UPSCHEDULE_WEB_PUBLIC_URL": REQUIRED["publicUrl"],
        "UPSCHEDULE_WEB_TRUSTED_PROXIES": "10.0.0.0/24",
        "UPSCHEDULE_OBJECTS_ENDPOINT": "object-store.service.consul:8333",
        "UPSCHEDULE_OBJECTS_SECURE": "false",
        "UPSCHEDULE_OBJECTS_REGION": "us-east-1",
        "UPSCHEDULE_CONSUL_ADDRESS": "http://127.0.0.1:18500",
        "UPSCHEDULE_POSTGRES_POOL_SIZE_MIN": "4",
        "UPSCHEDULE_POSTGRES_POOL_SIZE_MAX": "40",
        "UPSCHEDULE_ROLLOUT_RELEASE": "1",
    }


def test_settings_of_the_stack_win_over_those_that_are_worked_out(nomad: Nomad) -> None:
    """Numbers and switches become text, as in an environment, and each name occurs once."""
    chosen = {
        "UPSCHEDULE_POSTGRES_POOL_SIZE_MAX": 8,
        "UPSCHEDULE_OBJECTS_ENDPOINT": "s3.example.org:443",
        "UPSCHEDULE_OBJECTS_SECURE": True,
        "UPSCHEDULE_LOG_LEVEL": "debug",
        "UPSCHEDULE_JOBS_LEASE_SECONDS": 9.5,
    }
    found = settings_of({"settings": json.dumps(chosen)})

    assert found["UPSCHEDULE_POSTGRES_POOL_SIZE_MAX"] == "8"
    assert found["UPSCHEDULE_OBJECTS_ENDPOINT"] == "s3.example.org:443"
    assert found["UPSCHEDULE_OBJECTS_SECURE"] == "true"
    assert found["UPSCHEDULE_LOG_LEVEL"] == "debug"
    assert found["UPSCHEDULE_JOBS_LEASE_SECONDS"] == "9.5"
    assert found["UPSCHEDULE_POSTGRES_POOL_SIZE_MIN"] == "4"


@given(CHOSEN)
@settings(deadline=None)
def test_any_text_is_one_line_of_the_environment(chosen: dict[str, str]) -> None:
    """Quotes and line breaks in a value do not create another setting."""
    settings = ApplicationConfig(public_url="https://schedule.example.org", settings=json.dumps(chosen))

    def program() -> str:
        secret = pulumi.Output.secret("")
        keys = ObjectStoreKeys(access_key="", secret_key=secret)
        names = ("authority", "owner_url", "backup_url")
        stores = Stores(
            **dict.fromkeys(names, secret),
            object_store_endpoint="s3.example.org:443",
            object_store_secure=True,
            object_store_region="af-south-1",
            processes={},
            backed_up=True,
            backups=keys,
            backup_uploads={},
        )
        return application_settings(settings, stores, None)

    lines = run(program).result
    assert environment(lines).items() >= chosen.items()
    assert lines.count("\n") == len(environment(lines))
