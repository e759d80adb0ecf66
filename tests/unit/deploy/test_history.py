"""Which version is the release before."""

from tests.support.builders.nomad_answers import snapshot, specification
from upschedule.deploy import history


def version_before(*specifications: dict[str, object]) -> int | None:
    """Newest first."""
    found = history.stable_version_before(snapshot(list(specifications)))
    return found.job.version if found else None


def test_versions_that_differ_in_the_number_of_instances_are_one_release() -> None:
    """The autoscaler makes a version each time."""
    assert (
        version_before(
            specification(3, "two", count=9),
            specification(2, "two", count=4),
            specification(1, "two"),
            specification(0, "one"),
        )
        == 0
    )


def test_a_release_that_failed_is_never_gone_back_to() -> None:
    assert (
        version_before(
            specification(3, "three"),
            specification(2, "one"),
            specification(1, "two", stable=False),
            specification(0, "one"),
        )
        == 2
    )


def test_going_back_twice_goes_back_two_releases() -> None:
    """Not forth again to the one that was left."""
    assert (
        version_before(
            specification(3, "two"), specification(2, "three"), specification(1, "two"), specification(0, "one")
        )
        == 0
    )


def test_the_first_release_has_nothing_before_it() -> None:
    assert version_before(specification(1, "one", count=5), specification(0, "one")) is None
    assert version_before(specification(0, "one")) is None
