"""A snapshot of Nomad becomes a phase and a sentence (R12.3)."""

import msgspec
import pytest

from tests.support.builders.nomad_answers import allocation, deployment, snapshot, specification
from upschedule.deploy.explain import describe
from upschedule.deploy.nomad_model import Evaluation, JobSnapshot
from upschedule.deploy.rollout_state import Phase, derive

ONE, TWO = specification(0, "one"), specification(1, "two", stable=False)
ROLLING_BACK = "Failed due to progress deadline - rolling back to job version 0"
CASES = {
    "absent": (snapshot([]), Phase.ABSENT, "no release has been started"),
    "stopped": (
        snapshot([specification(0, "one", stop=True)]),
        Phase.STOPPED,
        "is stopped (version 0): `pulumi up --refresh` starts it again",
    ),
    "settled": (
        snapshot([ONE], [deployment(0, "successful")], [allocation("a", 0), allocation("b", 0)]),
        Phase.SETTLED,
        "release one, version 0: settled, 2 of 2 instances run",
    ),
    "not begun": (
        snapshot([TWO, ONE], [deployment(0, "successful")]),
        Phase.STARTING,
        "Nomad has started none of its instances yet",
    ),
    "canary starting": (
        snapshot(
            [TWO, ONE],
            [deployment(1, "running", canaries=("c",), desired_canaries=1)],
            [allocation("c", 1, healthy=None)],
        ),
        Phase.STARTING,
        "1 of 1 canaries placed, 0 healthy",
    ),
    "canary healthy": (
        snapshot([TWO, ONE], [deployment(1, "running", canaries=("c",), desired_canaries=1)], [allocation("c", 1)]),
        Phase.WAITING,
        "waits for promotion",
    ),
    "promoted": (
        snapshot([TWO, ONE], [deployment(1, "running", desired_canaries=1, promoted=True, healthy=1)]),
        Phase.ROLLING,
        "1 of 2 instances healthy",
    ),
    "failed, going back": (
        snapshot([TWO, ONE], [deployment(1, "failed", ROLLING_BACK)]),
        Phase.RETURNING,
        "release two (version 1) failed: Failed due to progress deadline; Nomad brings the earlier version back",
    ),
    "failed, the way back waits": (
        snapshot(
            [specification(2, "one", stable=False), TWO, ONE],
            [
                deployment(2, "running", canaries=("c",), desired_canaries=1),
                deployment(1, "failed", ROLLING_BACK),
            ],
            [allocation("c", 2)],
        ),
        Phase.RETURNING,
        "the earlier version comes back, but canary c is healthy and waits: `upschedule deploy revert`",
    ),
    "failed, back": (
        snapshot(
            [specification(2, "one"), TWO, ONE], [deployment(2, "successful"), deployment(1, "failed", ROLLING_BACK)]
        ),
        Phase.RETURNED,
        "release two (version 1) failed: Failed due to progress deadline; the earlier release is back",
    ),
    "failed, nothing to go back to": (
        snapshot([ONE], [deployment(0, "failed", "Failed due to progress deadline - no stable job version")]),
        Phase.FAILED,
        "nothing brings an earlier version back",
    ),
    "scaled up": (
        snapshot(
            [specification(1, "one", count=5), ONE],
            [deployment(1, "running"), deployment(0, "successful")],
            [allocation("a", 1), allocation("b", 1), allocation("c", 1, healthy=None)],
        ),
        Phase.SETTLED,
        "release one, version 1: scaling from 2, 3 of 5 instances run",
    ),
    "scaled down, Nomad has not begun": (
        snapshot([specification(1, "one", count=1), ONE], [deployment(0, "successful")], [allocation("a", 0)]),
        Phase.SETTLED,
        "scaling from 2, 1 of 1 instances run",
    ),
    "a settled change of the number": (
        snapshot([specification(1, "one", count=1), ONE], [deployment(1, "successful")], [allocation("a", 1)]),
        Phase.SETTLED,
        "release one, version 1: settled, 1 of 1 instances run",
    ),
    "failed by hand": (
        snapshot([TWO, ONE], [deployment(1, "failed", "Deployment marked as failed - rolling back to job version 0")]),
        Phase.RETURNING,
        "a person or the gate decided so",
    ),
}


@pytest.mark.parametrize(("observed", "phase", "sentence"), CASES.values(), ids=CASES)
def test_a_look_at_nomad_becomes_a_phase_and_words(observed: JobSnapshot, phase: Phase, sentence: str) -> None:
    now = derive(observed)

    assert now.phase is phase
    assert sentence in describe(observed, now)


def test_a_canary_that_has_ended_is_none() -> None:
    """Nomad still lists it as placed."""
    observed = snapshot(
        [TWO, ONE],
        [deployment(1, "running", canaries=("c",), desired_canaries=1)],
        [allocation("c", 1, status="failed")],
    )

    assert derive(observed).phase is Phase.STARTING
    assert not derive(observed).promotable


@pytest.mark.parametrize(
    ("status", "desired", "leaving"),
    [
        ("running", "stop", True),
        # Nomad names an instance like this while its tasks stop one after the other.
        ("pending", "stop", True),
        ("complete", "stop", False),
        ("failed", "stop", False),
        ("pending", "run", False),
        ("running", "run", False),
    ],
)
def test_an_instance_that_should_stop_is_leaving_until_it_has_ended(
    status: str,
    desired: str,
    leaving: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Until then it may still answer a request. A verification would attribute the answer to another release."""
    observed = snapshot([ONE], [deployment(0, "successful")], [allocation("a", 0, status=status, desired=desired)])

    assert bool(derive(observed).leaving) is leaving


def test_what_the_nodes_lack_is_said() -> None:
    blocked = {
        "Status": "blocked",
        "CreateIndex": 1,
        "FailedTGAllocs": {"api": {"NodesEvaluated": 2, "DimensionExhausted": {"memory": 2}}},
    }
    observed = snapshot(
        [TWO, ONE],
        [deployment(1, "running", desired_canaries=1)],
        evaluations=[msgspec.convert(blocked, Evaluation)],
    )

    assert "no node takes an instance: not enough memory on 2 nodes" in describe(observed, derive(observed))
