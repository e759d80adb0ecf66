"""The jobs contain a hash of their secrets, so that changed secrets are deployed like a release.

The hash reveals no secret.
"""

import pulumi
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from parts.application import JOBS, secrets_fingerprint
from tests.support.cluster.program.nomad_server import Nomad
from tests.support.cluster.program.recorded_engine import Ran, run
from tests.support.cluster.program.secret_readers import ALL, OF_THE_APPLICATION, READERS
from tests.support.cluster.program.whole_program import RELEASED, manifest, up

NAMES = ("authority", "UPSCHEDULE_POSTGRES_URL", "UPSCHEDULE_CONSUL_TOKEN")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SECRETS = st.fixed_dictionaries(dict.fromkeys(NAMES, TEXTS))
FEW = settings(max_examples=40, deadline=None)


def marked(secrets: dict[str, str]) -> Ran[None]:
    """Returns a run of the program that exports the hash of `secrets` as `mark`."""

    def program() -> None:
        pulumi.export(
            "mark", secrets_fingerprint({name: pulumi.Output.secret(value) for name, value in secrets.items()})
        )

    return run(program)


def mark(secrets: dict[str, str]) -> str:
    return marked(secrets).outputs["mark"]


@given(SECRETS)
@FEW
def test_the_mark_is_short_to_be_seen_and_always_the_same(secrets: dict[str, str]) -> None:
    """A preview shows the mark, which is not a secret. Another order of the same secrets does not change it."""
    ran = marked(secrets)

    assert ran.secret == set()
    assert len(ran.outputs["mark"]) == 12
    assert set(ran.outputs["mark"]) <= set("0123456789abcdef")
    assert mark(dict(reversed(secrets.items()))) == ran.outputs["mark"]


@given(SECRETS, st.sampled_from(NAMES), TEXTS)
@FEW
def test_one_secret_that_changes_changes_the_mark(secrets: dict[str, str], name: str, value: str) -> None:
    """This holds for each of the secrets."""
    assume(secrets[name] != value)

    assert mark({**secrets, name: value}) != mark(secrets)


@given(SECRETS)
@FEW
def test_two_secrets_that_change_places_change_the_mark(secrets: dict[str, str]) -> None:
    """The two secrets exchange their values."""
    first, second, _ = NAMES
    assume(secrets[first] != secrets[second])

    assert mark({**secrets, first: secrets[second], second: secrets[first]}) != mark(secrets)


@pytest.mark.parametrize("name", READERS)
def test_a_job_changes_by_its_mark_when_a_secret_of_its_own_does(
    nomad: Nomad, released: Ran[list[str]], name: str
) -> None:
    """The mark changes in all three jobs or in none. A secret that only a store uses starts no canary (R8.2, R12.2)."""
    # The new secret has the same form, which may be JSON.
    after = up(RELEASED, {**ALL, name: ALL[name].replace(name, "another")})
    assert ALL[name] != ALL[name].replace(name, "another")
    changed = {
        (job, variable)
        for job in released.jobs
        for variable, value in released.variables(job).items()
        if after.variables(job)[variable] != value
    }

    assert changed == ({(job, "secrets_fingerprint") for job in JOBS} if name in OF_THE_APPLICATION else set())
    assert set(released.items) == set(after.items)


def test_a_release_with_the_same_secrets_has_the_same_mark(nomad: Nomad, released: Ran[list[str]]) -> None:
    """A changed setting does not change the mark."""
    before = released.variables("worker")
    after = up({**RELEASED, "release": manifest("2"), "workerMemoryMb": "4096"}, ALL).variables("worker")

    assert after["release"] != before["release"]
    assert after["secrets_fingerprint"] == before["secrets_fingerprint"]
