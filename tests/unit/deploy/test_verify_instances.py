"""The verification of a release while the autoscaler changes the numbers of instances (R12.4, R10.2)."""

import pytest

from tests.support.builders.nomad_answers import allocation, deployment, snapshot, specification
from upschedule.deploy.nomad_model import JobSnapshot
from upschedule.deploy.rollout_state import derive
from upschedule.deploy.verify import instances_finding

OLD = specification(0, "one")
NEW = specification(1, "two")
SCALED_TO_3 = specification(2, "two", count=3)
SCALED_TO_5 = specification(3, "two", count=5)
PROMOTED = deployment(1, "successful")

GOOD = {
    "as many as wanted": snapshot([NEW, OLD], [PROMOTED], [allocation("a", 1), allocation("b", 1)]),
    "one is being added": snapshot(
        [SCALED_TO_3, NEW, OLD],
        [deployment(2, "running"), PROMOTED],
        [allocation("a", 2), allocation("b", 2), allocation("c", 2, status="pending", healthy=None)],
    ),
    "Nomad has registered the number and changed nothing yet": snapshot(
        [SCALED_TO_3, NEW, OLD], [PROMOTED], [allocation("a", 1), allocation("b", 1)]
    ),
    "two scalings, of which none was reached": snapshot(
        [SCALED_TO_5, SCALED_TO_3, NEW, OLD],
        [deployment(3, "running"), deployment(2, "cancelled"), PROMOTED],
        [allocation("a", 3), allocation("b", 2), allocation("c", 2, status="pending", healthy=None)],
    ),
    "the scaling has ended, one instance has yet to be named after it": snapshot(
        [SCALED_TO_3, NEW, OLD],
        [deployment(2, "successful"), PROMOTED],
        [allocation("a", 2), allocation("b", 1), allocation("c", 2)],
    ),
}
BAD = {
    "one has gone": (snapshot([NEW, OLD], [PROMOTED], [allocation("a", 1)]), "1 of 2 run"),
    "one does not run": (
        snapshot([NEW, OLD], [PROMOTED], [allocation("a", 1), allocation("b", 1, status="pending")]),
        "1 do not run yet",
    ),
    "one is of another release": (
        snapshot([NEW, OLD], [PROMOTED], [allocation("a", 1), allocation("b", 1), allocation("z", 0)]),
        "1 run another release",
    ),
    "one is of another release while one is being added": (
        snapshot(
            [SCALED_TO_3, NEW, OLD],
            [deployment(2, "running"), PROMOTED],
            [allocation("a", 2), allocation("b", 2), allocation("z", 0)],
        ),
        "1 run another release, while Nomad scales from 2",
    ),
    "one that was there before has gone while one is being added": (
        snapshot(
            [SCALED_TO_3, NEW, OLD],
            [deployment(2, "running"), PROMOTED],
            [allocation("a", 2), allocation("c", 2, status="pending", healthy=None)],
        ),
        "1 of 3 run",
    ),
}


@pytest.mark.parametrize("known", GOOD.values(), ids=GOOD)
def test_a_scaling_says_nothing_against_the_release(known: JobSnapshot) -> None:
    finding = instances_finding(derive(known))
    assert finding.ok, finding.detail


@pytest.mark.parametrize(("known", "reason"), BAD.values(), ids=BAD)
def test_an_instance_that_is_missing_or_of_another_release_is_found(known: JobSnapshot, reason: str) -> None:
    finding = instances_finding(derive(known))
    assert not finding.ok
    assert reason in finding.detail
