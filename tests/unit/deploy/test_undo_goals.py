"""Tests which jobs a rollback concerns, and which version each of them leaves."""

from tests.support.builders.nomad_answers import allocation, deployment, snapshot, specification
from upschedule.deploy.records.model import make_record
from upschedule.deploy.rollback import undo_goals
from upschedule.deploy.rollout_state import Phase, derive

ONE, TWO = specification(0, "one"), specification(1, "two")
ROLLING_BACK = "Failed due to progress deadline - rolling back to job version 0"
RECORD_ONE = make_record("one", dict.fromkeys(("worker", "api"), ONE))
SETTLED_ON_TWO = derive(
    snapshot([TWO, ONE], [deployment(1, "successful")], [allocation("a", 1), allocation("b", 1)]),
)
RETURNING_TO_ONE = derive(
    snapshot(
        [specification(2, "one", stable=False), {**TWO, "Stable": False}, ONE],
        [deployment(2, "running", canaries=("c",), desired_canaries=1), deployment(1, "failed", ROLLING_BACK)],
        [allocation("c", 2)],
    )
)


def test_jobs_that_settled_on_the_release_that_failed_elsewhere_leave_it_as_well() -> None:
    """Nomad has registered the earlier release again for the job that failed, and its canary waits."""
    assert (SETTLED_ON_TWO.phase, RETURNING_TO_ONE.phase) == (Phase.SETTLED, Phase.RETURNING)

    goals = undo_goals({"worker": SETTLED_ON_TWO, "api": RETURNING_TO_ONE}, ["api"], RECORD_ONE)

    assert [goal.job for goal in goals] == ["worker", "api"]
    assert {goal.bad for goal in goals} == {SETTLED_ON_TWO.fingerprint}


def test_the_recorded_version_is_no_version_to_leave() -> None:
    """The version failed in an earlier rollback, and Nomad registered the other one again.

    The goal could never be reached.
    """
    record_two = make_record("two", {"api": TWO})

    (goal,) = undo_goals({"api": RETURNING_TO_ONE}, ["api"], record_two)

    assert (goal.target, goal.bad) == (record_two.specifications["api"], None)
    assert goal.is_met(SETTLED_ON_TWO)
    assert not goal.is_met(RETURNING_TO_ONE)
