"""Tests which releases must wait for another one, and for how long."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard import PATIENCE_SECONDS, ReleaseUnderWay, Rollout, drift, refuse_a_second_release
from upschedule.deploy.applied import Applied

# The states of a deployment as Nomad names them.
UNDER_WAY = ("initializing", "pending", "blocked", "unblocking", "running", "paused")
ENDED = ("", "successful", "failed", "cancelled")
ROLLOUTS = st.builds(
    Rollout,
    job=st.sampled_from(["api", "worker", "scheduler"]),
    release=st.sampled_from(["", "1", "2"]),
    deployment=st.sampled_from([*UNDER_WAY, *ENDED]),
    scaling=st.booleans(),
)
SCALING = Rollout(job="api", release="1", deployment="running", scaling=True)
ROLLING = Rollout(job="worker", release="1", deployment="running")
SETTLED = Rollout(job="api", release="1", deployment="successful")


class Watched:
    """Returns one situation after the other and repeats the last. Records how long the guard waits in between."""

    def __init__(self, *situations: list[Rollout]) -> None:
        self._situations = list(situations)
        self.looks = 0
        self.pauses: list[float] = []

    def read(self) -> list[Rollout]:
        self.looks += 1
        return self._situations.pop(0) if len(self._situations) > 1 else self._situations[0]

    def guard(self, wanted: str = "2") -> str:
        """Returns the guard's message against the release, or an empty text if it may begin."""
        try:
            refuse_a_second_release(wanted, self.read, self.pauses.append)
        except ReleaseUnderWay as error:
            return str(error)
        return ""


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_release_under_way_refuses_the_next_at_once(state: str) -> None:
    """This holds for every undecided state.

    Waiting would not help, since a person decides about the promotion (R12.4).
    """
    watched = Watched([SETTLED, Rollout(job="worker", release="1", deployment=state)])

    assert watched.guard() == (
        f"Release 2 must wait: another release is still in progress in worker (1, {state}). "
        "Promote or revert it first: `upschedule deploy status`."
    )
    assert watched.pauses == []


@pytest.mark.parametrize("state", ENDED)
def test_a_release_that_has_ended_lets_the_next_through(state: str) -> None:
    """It makes no difference whether that release succeeded or failed."""
    assert Watched([Rollout(job="api", release="1", deployment=state)]).guard() == ""


def test_the_same_release_is_let_through_again() -> None:
    """An `up` that changes a secret or was interrupted has to be repeated."""
    assert Watched([SCALING, ROLLING]).guard("1") == ""


def test_the_first_release_of_all_has_nothing_before_it() -> None:
    """The jobs do not exist, or were started without a release."""
    assert Watched([Rollout(job="api", release="", deployment="running")]).guard() == ""
    assert Watched([]).guard() == ""


def test_a_change_of_the_number_of_instances_is_waited_for() -> None:
    """Such a change ends without an operator. The autoscaler starts one at any time (R10.1, R10.2)."""
    watched = Watched([SCALING], [SCALING], [SCALING], [SETTLED])

    assert watched.guard() == ""
    assert watched.pauses == [2, 2, 2]


def test_a_change_that_does_not_end_is_reported_after_three_minutes() -> None:
    """Possible causes are an instance that does not start, and a load that rises and falls."""
    watched = Watched([SCALING, Rollout(job="worker", release="1", deployment="pending", scaling=True)])

    assert watched.guard() == (
        "Release 2 must wait: the number of instances has been changing for 180 s in api (1, running), "
        "worker (1, pending). See `upschedule deploy status`, and try again."
    )
    assert sum(watched.pauses) == PATIENCE_SECONDS == 180
    assert watched.looks == len(watched.pauses)


def test_a_release_beside_a_change_of_the_number_is_reported() -> None:
    """The guard does not wait, because a release does not end without an operator."""
    watched = Watched([SCALING, ROLLING])

    assert "another release is still in progress in api (1, running), worker (1, running)." in watched.guard()
    assert watched.pauses == []


def test_a_release_that_begins_during_the_wait_refuses_ours() -> None:
    """Two operators start a release at the same time."""
    watched = Watched([SCALING], [ROLLING])

    assert "another release is still in progress in worker (1, running)." in watched.guard()
    assert watched.pauses == [2]


@pytest.mark.parametrize(
    ("wanted", "last_applied", "running", "warned"),
    [
        pytest.param("2", "2", "1", True, id="release 2 was left for release 1"),
        pytest.param("2", "2", "2", False, id="what the stack applied runs"),
        pytest.param("2", "1", "1", False, id="release 2 is about to start"),
        pytest.param("1", "2", "1", False, id="the stack is being set back"),
        pytest.param("2", "2", "", False, id="nothing runs, as after a loss of everything"),
    ],
)
def test_what_a_plain_up_would_not_put_right_is_said(
    wanted: str, last_applied: str, running: str, *, warned: bool
) -> None:
    """After any kind of rollback, Pulumi's state still names the release that was left."""
    message = drift(
        wanted,
        Applied(release=last_applied),
        [Rollout(job=job, release=running, deployment="") for job in ("api", "worker")],
    )

    assert bool(message) is warned
    if warned:
        assert "api runs 1, worker runs 1: that release was rolled back" in message
        assert "to start 2 again, run `pulumi up --refresh`" in message


APPLIED = Applied(release="2", secrets="a", settings="b")


@pytest.mark.parametrize(
    ("secrets", "settings", "message"),
    [
        ("a", "b", ""),
        (None, None, ""),
        ("a", "old", "api runs 2 with other settings: what the stack applied was rolled back"),
        ("old", "b", "api runs 2 with other secrets: what the stack applied was rolled back"),
        ("old", "old", "api runs 2 with other secrets and settings: what the stack applied was rolled back"),
    ],
)
def test_settings_and_secrets_that_were_left_are_said_as_well(
    secrets: str | None, settings: str | None, message: str
) -> None:
    """They are promoted and rolled back like a release. A job of an earlier version of the program names none."""
    found = drift("2", APPLIED, [Rollout(job="api", release="2", deployment="", secrets=secrets, settings=settings)])

    assert message in found
    assert bool(found) is bool(message)
    assert not found or "changes nothing, unless you have changed the stack since" in found


@given(st.lists(ROLLOUTS, max_size=6), st.sampled_from(["1", "2", "3"]))
@settings(deadline=None)
def test_no_release_begins_beside_another(rollouts: list[Rollout], wanted: str) -> None:
    """Only a release under way stops another one, whatever else runs."""
    others = [each for each in rollouts if each.release not in ("", wanted) and each.deployment not in ENDED]
    message = Watched(rollouts).guard(wanted)

    assert bool(message) == bool(others)
    assert names_of(others) in message


def names_of(rollouts: Iterable[Rollout]) -> str:
    return ", ".join(f"{each.job} ({each.release}, {each.deployment})" for each in rollouts)
