"""Tests which version of a job is the previous release, as far as Nomad knows it."""

from typing import Any

from tests.support.builders.nomad_answers import snapshot, specification
from upschedule.deploy import history


def version_before(*specifications: dict[str, Any]) -> int | None:
    """The newest good version before the current one. The versions are given with the newest first."""
    chain = history.stable_chain(snapshot(list(specifications)))
    present = history.fingerprint(specifications[0])
    return next((each.job.version for each in chain if history.fingerprint(each.specification) != present), None)


def test_versions_that_differ_in_the_number_of_instances_are_one_release() -> None:
    """The autoscaler creates a version each time."""
    assert (
        version_before(
            specification(3, "two", count=9),
            specification(2, "two", count=4),
            specification(1, "two"),
            specification(0, "one"),
        )
        == 0
    )


def test_a_release_that_failed_is_never_a_target_of_a_revert() -> None:
    assert (
        version_before(
            specification(3, "three"),
            specification(2, "one"),
            specification(1, "two", stable=False),
            specification(0, "one"),
        )
        == 2
    )


def test_two_reverts_return_two_releases() -> None:
    """The second revert does not return to the release that was left."""
    assert (
        version_before(
            specification(3, "two"), specification(2, "three"), specification(1, "two"), specification(0, "one")
        )
        == 0
    )


def test_the_first_release_has_nothing_before_it() -> None:
    assert version_before(specification(1, "one", count=5), specification(0, "one")) is None
    assert version_before(specification(0, "one")) is None


def test_what_nomad_adds_at_a_registration_makes_no_other_release() -> None:
    """A job that was purged and registered again gets another scaling policy. Its bounds are part of the release."""
    before, after, wider = (specification(0, "one") for _ in range(3))
    before["TaskGroups"][0]["Scaling"] = {"ID": "a", "CreateIndex": 1, "ModifyIndex": 2, "Min": 1, "Max": 9}
    after["TaskGroups"][0]["Scaling"] = {"ID": "b", "CreateIndex": 7, "ModifyIndex": 8, "Min": 1, "Max": 9}
    wider["TaskGroups"][0]["Scaling"] = {"ID": "a", "CreateIndex": 1, "ModifyIndex": 2, "Min": 1, "Max": 20}

    assert history.fingerprint(before) == history.fingerprint(after)
    assert history.fingerprint(before) != history.fingerprint(wider)
