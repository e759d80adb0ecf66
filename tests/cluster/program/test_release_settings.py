"""A setting that the release does not accept is refused before anything changes (R12.1, R12.4)."""

import json
import re
from collections.abc import Mapping

import msgspec
import pytest

from config import ConfigurationError
from parts.release_settings import accepted_settings
from tests.support.cluster.program.configurations import GIVEN, REQUIRED, problems
from tests.support.cluster.program.nomad_server import Nomad
from tests.support.cluster.program.recorded_engine import Ran
from tests.support.cluster.program.whole_program import RELEASED, SETTINGS, manifest, up
from upschedule.operations.release.manifest import Manifest
from upschedule.settings.schema import SettingDescription


def errors_of(
    chosen: Mapping[str, object],
    more: Mapping[str, str] = {},
    *,
    settings: Mapping[str, SettingDescription] | None = SETTINGS,
    secrets: Mapping[str, str] = GIVEN,
) -> dict[str, str]:
    """Returns the errors that the program reports for a release that accepts `settings`."""
    return problems(
        {**REQUIRED, "release": manifest("1", settings), "settings": json.dumps(chosen), **more}, secrets=secrets
    )


def without(*names: str) -> dict[str, SettingDescription]:
    """The settings that a release accepts which does not have the given names."""
    return {name: description for name, description in SETTINGS.items() if name not in names}


def test_everything_that_no_process_accepts_is_reported_at_once() -> None:
    """Refused are wrong types and bounds, unknown names, contradictory bounds, secrets and derived settings."""
    chosen = {
        "UPSCHEDULE_JOBS_PENDING_MAX": "many",
        "UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR": 0,
        "UPSCHEDULE_LIMIT_STREAMS_MAX": "4000",
        "UPSCHEDULE_POSTGRES_POOL_SIZE_MAX": 2,
        "UPSCHEDULE_JOBS_LEASE_SECONDS": 2,
        "UPSCHEDULE_WEB_FEED_SECRET": "0123456789abcdef0123456789abcdef",
        "JOBS_PENDING_MAX": "500",
    }

    assert errors_of(chosen, {"proxyNetworks": "10.0.0.5/24", "publicUrl": "schedule.example.org"}) == {
        "settings.UPSCHEDULE_JOBS_PENDING_MAX": "Expected `int`, got `str`",
        "settings.UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR": "Expected `int` >= 1",
        "settings.UPSCHEDULE_LIMIT_STREAMS_MAX": "no such setting; the nearest is UPSCHEDULE_LIMITS_STREAMS_MAX",
        "settings.UPSCHEDULE_POSTGRES_POOL_SIZE_MIN": "is 4, above UPSCHEDULE_POSTGRES_POOL_SIZE_MAX, which is 2",
        "settings.UPSCHEDULE_JOBS_HEARTBEAT_SECONDS": "is 2.5, not below UPSCHEDULE_JOBS_LEASE_SECONDS, which is 2.0",
        "settings.UPSCHEDULE_WEB_FEED_SECRET": (
            "is a secret, which all who may read jobs would see; the program sets it"
        ),
        "settings.JOBS_PENDING_MAX": "is no setting: the names begin with UPSCHEDULE_",
        "proxyNetworks": "10.0.0.5/24 has host bits set; a network is written as in 10.0.0.0/24",
        "publicUrl": "cannot be used: write http://HOST:PORT/ or https://HOST/, as people reach the service",
    }


def test_a_setting_is_judged_by_the_release_and_not_by_the_checkout() -> None:
    """A release decides by its own list. It may accept settings that this checkout does not have, or refuse others."""
    newer = {**SETTINGS, "jobs/patience": SettingDescription(schema={"type": "integer", "minimum": 1}, default=3)}
    chosen = {"UPSCHEDULE_JOBS_PATIENCE": "2"}

    assert errors_of(chosen, settings=newer) == {}
    assert errors_of({"UPSCHEDULE_JOBS_PATIENCE": "0"}, settings=newer) == {
        "settings.UPSCHEDULE_JOBS_PATIENCE": "Expected `int` >= 1"
    }
    assert errors_of(chosen)["settings.UPSCHEDULE_JOBS_PATIENCE"].startswith("no such setting")


def test_what_a_release_must_have_is_asked_for() -> None:
    """A new release can require a setting that the stack does not have yet.

    Settings that the program derives are present.
    """
    newer = {**SETTINGS, "web/owner": SettingDescription(schema={"type": "string"}, required=True)}

    assert errors_of({}, settings=newer) == {
        "settings.UPSCHEDULE_WEB_OWNER": "must be set: the release does not start without it"
    }
    assert errors_of({"UPSCHEDULE_WEB_OWNER": "x"}, settings=newer) == {}


def test_an_older_release_is_not_given_what_it_does_not_know(nomad: Nomad) -> None:
    """The release would not start with an unknown variable that the program derives.

    A setting that the stack chose is not dropped.
    """
    older = without("objects/region", "consul/token")
    ran = up({**RELEASED, "release": manifest("1", older)})

    assert "UPSCHEDULE_OBJECTS_REGION" not in ran.variables("api")["settings"]
    assert "UPSCHEDULE_CONSUL_TOKEN" not in ran.items["nomad/jobs/api/api/serve"]
    assert "authority" in ran.items["nomad/jobs/api/api/serve"]
    refused = errors_of({}, {"objectStoreRegion": "eu-central-1"}, settings=older)
    assert set(refused) == {"objectStoreRegion"}
    assert refused["objectStoreRegion"].startswith("no such setting")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [(SETTINGS, True), (without("rollout/release"), False), (None, False)],
    ids=["this one", "an older one", "one without a schema"],
)
def test_a_release_that_knows_the_setting_is_given_its_own_version(
    nomad: Nomad, settings: Mapping[str, SettingDescription] | None, *, expected: bool
) -> None:
    """If the release is rolled back, its documents are read again.

    An older release would not start with the setting (R12.3).
    """
    ran = up({**RELEASED, "release": manifest("7", settings)})

    for job in ("worker", "scheduler"):
        assert ('UPSCHEDULE_ROLLOUT_RELEASE="7"\n' in ran.variables(job)["settings"]) is expected
        assert ("UPSCHEDULE_ROLLOUT_RELEASE" in ran.variables(job)["settings"]) is expected


def test_a_secret_is_of_the_form_that_the_release_wants_and_is_not_shown() -> None:
    """The key of feed addresses has at least 32 characters."""
    refused = errors_of({}, secrets={**GIVEN, "feedSecret": "s3cret-word"})

    assert set(refused) == {"feedSecret"}
    assert "s3cret-word" not in str(refused)


def test_a_release_from_before_manifests_had_settings_can_still_be_deployed(
    nomad: Nomad, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the target of a rollback. The preview warns that its settings are not checked."""
    warned: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", warned.append)

    assert errors_of({"UPSCHEDULE_ANYTHING": "x"}, settings=None) == {}
    up({**RELEASED, "release": manifest("7", None)})
    assert warned == ["Release 7 does not say which settings it accepts: they are not checked."]


def test_a_manifest_of_a_form_that_is_not_known_is_refused() -> None:
    """Its settings could not be checked, and a mere warning could be overlooked."""
    newer = {**SETTINGS, "jobs/patience": SettingDescription(schema={"type": "object"})}

    assert set(errors_of({}, settings=newer)) == {"release"}


def test_nothing_changes_when_a_setting_is_refused(nomad: Nomad) -> None:
    """Stores and edge do not change, and the program sends no request to Nomad."""
    ran = Ran[list[str]]()
    with pytest.raises(ConfigurationError, match=re.escape("settings.UPSCHEDULE_JOBS_PENDING_MAX: Expected `int`")):
        up({**RELEASED, "settings": '{"UPSCHEDULE_JOBS_PENDING_MAX": "many"}'}, into=ran)

    assert {resource.type for resource in ran.resources} == {"pulumi:pulumi:Stack"}
    assert nomad.asked == []


def test_the_settings_of_this_checkout_are_all_in_its_manifest() -> None:
    """They have the names of the variables that the processes read."""
    accepted = accepted_settings(msgspec.json.decode(manifest("1"), type=Manifest))

    assert accepted is not None
    assert len(accepted) == len(SETTINGS)
    assert accepted["UPSCHEDULE_JOBS_PENDING_MAX"].parse("7") == 7
