"""Which releases must wait, and for how long."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard import PATIENCE_SECONDS, ReleaseUnderWay, Rollout, drift, refuse_a_second_release
from upschedule.deploy.applied import Applied

# Of a deployment, as Nomad has them.
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
    """Sees one situation after the other, the last for ever, and how long the guard waits between them."""

    def __init__(self, *situations: list[Rollout]) -> None:
        self._situations = list(situations)
        self.looks = 0
        self.pauses: list[float] = []

    def read(self) -> list[Rollout]:
        self.looks += 1
        return self._situations.pop(0) if len(self._situations) > 1 else self._situations[0]

    def guard(self, wanted: str = "2") -> str:
        """What it says against the release; empty: it may begin."""
        try:
            refuse_a_second_release(wanted, self.read, self.pauses.append)
        except ReleaseUnderWay as error:
            return str(error)
        return ""


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_release_under_way_refuses_the_next_at_once(state: str) -> None:
    """In every state that may still turn out either way; waiting would not help, for a person is to decide (R12.4)."""
    watched = Watched([SETTLED, Rollout(job="worker", release="1", deployment=state)])

    assert watched.guard() == (
        f"Release 2 must wait: another is still on its way in worker (1, {state}). "
        "Promote or revert it first: `upschedule deploy status`."
    )
    assert watched.pauses == []


@pytest.mark.parametrize("state", ENDED)
def test_a_release_that_has_ended_lets_the_next_through(state: str) -> None:
    """Whichever way it ended."""
    assert Watched([Rollout(job="api", release="1", deployment=state)]).guard() == ""


def test_the_same_release_is_let_through_again() -> None:
    """An `up` that changes a secret, or that was cut off, is to be repeated."""
    assert Watched([SCALING, ROLLING]).guard("1") == ""


def test_the_first_release_of_all_has_nothing_before_it() -> None:
    """Jobs that are not there, or that were started without a release."""
    assert Watched([Rollout(job="api", release="", deployment="running")]).guard() == ""
    assert Watched([]).guard() == ""


def test_a_change_of_the_number_of_instances_is_waited_for() -> None:
    """It ends by itself; the autoscaler makes one at any time (R10.1, R10.2)."""
    watched = Watched([SCALING], [SCALING], [SCALING], [SETTLED])

    assert watched.guard() == ""
    assert watched.pauses == [2, 2, 2]


def test_a_change_that_does_not_end_is_told_after_three_minutes() -> None:
    """An instance that does not start, or load that goes up and down."""
    watched = Watched([SCALING, Rollout(job="worker", release="1", deployment="pending", scaling=True)])

    assert watched.guard() == (
        "Release 2 must wait: the number of instances has been changing for 180 s in api (1, running), "
        "worker (1, pending). See `upschedule deploy status`, and try again."
    )
    assert sum(watched.pauses) == PATIENCE_SECONDS == 180
    assert watched.looks == len(watched.pauses)


def test_a_release_beside_a_change_of_the_number_is_what_is_told() -> None:
    """No patience for what does not end by itself."""
    watched = Watched([SCALING, ROLLING])

    assert "another is still on its way in api (1, running), worker (1, running)." in watched.guard()
    assert watched.pauses == []


def test_a_release_that_begins_during_the_wait_refuses_ours() -> None:
    """Two people at once."""
    watched = Watched([SCALING], [ROLLING])

    assert "another is still on its way in worker (1, running)." in watched.guard()
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
    """After any way back Pulumi's state still says that the release runs which was left."""
    said = drift(
        wanted,
        Applied(release=last_applied),
        [Rollout(job=job, release=running, deployment="") for job in ("api", "worker")],
    )

    assert bool(said) is warned
    if warned:
        assert "api runs 1, worker runs 1: that release was left" in said
        assert "to start 2 again, run `pulumi up --refresh`" in said


APPLIED = Applied(release="2", secrets="a", settings="b")


@pytest.mark.parametrize(
    ("secrets", "settings", "said"),
    [
        ("a", "b", ""),
        (None, None, ""),
        ("a", "old", "api runs 2 with other settings: what the stack applied was left"),
        ("old", "b", "api runs 2 with other secrets: what the stack applied was left"),
        ("old", "old", "api runs 2 with other secrets and settings: what the stack applied was left"),
    ],
)
def test_settings_and_secrets_that_were_left_are_said_as_well(
    secrets: str | None, settings: str | None, said: str
) -> None:
    """They are promoted and left as a release is. A job of an earlier program names none."""
    found = drift("2", APPLIED, [Rollout(job="api", release="2", deployment="", secrets=secrets, settings=settings)])

    assert said in found
    assert bool(found) is bool(said)
    assert not found or "changes nothing, unless you have changed the stack since" in found


@given(st.lists(ROLLOUTS, max_size=6), st.sampled_from(["1", "2", "3"]))
@settings(deadline=None)
def test_no_release_begins_beside_another(rollouts: list[Rollout], wanted: str) -> None:
    """Whatever else there is; and nothing else holds one up."""
    others = [each for each in rollouts if each.release not in ("", wanted) and each.deployment not in ENDED]
    said = Watched(rollouts).guard(wanted)

    assert bool(said) == bool(others)
    assert told(others) in said


def told(rollouts: Iterable[Rollout]) -> str:
    return ", ".join(f"{each.job} ({each.release}, {each.deployment})" for each in rollouts)
