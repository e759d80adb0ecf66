"""Tests what the supervisor does next, in each state of the jobs."""

from typing import Any

import pytest

from tests.support.builders.nomad_answers import allocation, deployment, snapshot, specification
from upschedule.deploy.records.model import identity_of
from upschedule.deploy.rollout_state import RolloutState, derive
from upschedule.deploy.supervision.model import Watch, WatchVerdict
from upschedule.deploy.supervision.steps import Step, fingerprints, next_step

ONE, TWO, THREE = specification(0, "one"), specification(1, "two"), specification(2, "three", stable=False)
GIVEN_UP = "Deployment marked as failed - rolling back to job version 0"


def through_canary(version: int, specifications: list[dict[str, Any]], status: str, *, promoted: bool) -> RolloutState:
    return derive(
        snapshot(
            specifications,
            [deployment(version, status, canaries=("c",), desired_canaries=1, promoted=promoted)],
            [allocation("c", version)],
        )
    )


ON_ONE = derive(snapshot([ONE], [deployment(0, "successful")]))
TWO_WAITS = through_canary(1, [TWO, ONE], "running", promoted=False)
TWO_ROLLS = through_canary(1, [TWO, ONE], "running", promoted=True)
ON_TWO = through_canary(1, [TWO, ONE], "successful", promoted=True)
THREE_WAITS = through_canary(2, [THREE, TWO, ONE], "running", promoted=False)
BACK_ON_ONE = through_canary(2, [specification(2, "one"), TWO, ONE], "successful", promoted=True)
ONE_WAITS = through_canary(2, [specification(2, "one", stable=False), TWO, ONE], "running", promoted=False)
TWO_GIVEN_UP = derive(
    snapshot(
        [specification(2, "one", stable=False), TWO, ONE],
        [deployment(2, "running"), deployment(1, "failed", GIVEN_UP)],
        [],
    )
)
WIDER = derive(
    snapshot(
        [{**specification(2, "two"), "Priority": 60}, TWO, ONE],
        [deployment(2, "successful")],
        [],
    )
)


def both(worker: RolloutState, api: RolloutState) -> dict[str, RolloutState]:
    return {"worker": worker, "api": api}


def identity(state: RolloutState) -> str:
    return identity_of(fingerprints(both(state, state)))


def watch(state: RolloutState, verdict: WatchVerdict) -> Watch:
    return Watch(release="it", fingerprints=fingerprints(both(state, state)), verdict=verdict)


RECORDED_ONE, RECORDED_BOTH = [identity(ON_ONE)], [identity(ON_TWO), identity(ON_ONE)]


@pytest.mark.parametrize(
    ("states", "known", "records", "step"),
    [
        (both(ON_ONE, ON_ONE), watch(ON_ONE, WatchVerdict.NOT_WATCHED), RECORDED_ONE, Step.NOTHING),
        (both(TWO_WAITS, TWO_WAITS), watch(ON_ONE, WatchVerdict.NOT_WATCHED), RECORDED_ONE, Step.NOTHING),
        # `nomad deployment promote` promotes one job after the other.
        (both(TWO_WAITS, TWO_ROLLS), watch(ON_ONE, WatchVerdict.PASSED), RECORDED_ONE, Step.BEGIN),
        (both(TWO_ROLLS, TWO_ROLLS), watch(ON_ONE, WatchVerdict.REVERTED), RECORDED_ONE, Step.BEGIN),
        # A command recorded the release before the supervisor looked.
        (both(ON_TWO, ON_TWO), watch(ON_ONE, WatchVerdict.PASSED), RECORDED_BOTH, Step.BEGIN),
        (both(ON_TWO, ON_TWO), watch(ON_TWO, WatchVerdict.WATCHING), RECORDED_BOTH, Step.JUDGE),
        (both(ON_TWO, ON_TWO), watch(ON_TWO, WatchVerdict.ACCEPTED), RECORDED_BOTH, Step.NOTHING),
        # Only the bounds of the scaling changed, and the instances stayed.
        (both(WIDER, WIDER), watch(ON_TWO, WatchVerdict.WATCHING), RECORDED_BOTH, Step.ADOPT),
        # The next release began before the watch ended.
        (both(THREE_WAITS, THREE_WAITS), watch(ON_TWO, WatchVerdict.WATCHING), RECORDED_BOTH, Step.LEAVE),
        (both(THREE_WAITS, THREE_WAITS), watch(ON_TWO, WatchVerdict.PASSED), RECORDED_BOTH, Step.NOTHING),
    ],
)
def test_a_promoted_release_is_watched(
    states: dict[str, RolloutState], known: Watch, records: list[str], step: Step
) -> None:
    assert next_step(states, known, records) is step


@pytest.mark.parametrize(
    ("states", "known", "records", "step"),
    [
        # Nomad or an operator failed one job's deployment, so the others must follow.
        (both(ON_TWO, TWO_GIVEN_UP), watch(ON_TWO, WatchVerdict.WATCHING), RECORDED_ONE, Step.FAILED),
        # The supervisor was killed in the middle of a revert. It continues, and does not watch the earlier release as a
        # promoted one.
        (both(ON_TWO, ON_TWO), watch(ON_TWO, WatchVerdict.REVERTING), RECORDED_BOTH, Step.REVERT),
        (both(ON_TWO, ONE_WAITS), watch(ON_TWO, WatchVerdict.REVERTING), RECORDED_BOTH, Step.REVERT),
        (both(ONE_WAITS, BACK_ON_ONE), watch(ON_TWO, WatchVerdict.REVERTING), RECORDED_BOTH, Step.REVERT),
        (both(BACK_ON_ONE, BACK_ON_ONE), watch(ON_TWO, WatchVerdict.REVERTING), RECORDED_BOTH, Step.BACK),
        # A second revert would leave the release before as well.
        (both(BACK_ON_ONE, BACK_ON_ONE), watch(ON_TWO, WatchVerdict.REVERTING), RECORDED_ONE, Step.BACK),
        # `upschedule deploy revert` has reverted the release.
        (both(BACK_ON_ONE, BACK_ON_ONE), watch(ON_TWO, WatchVerdict.WATCHING), RECORDED_ONE, Step.LEAVE),
        (both(BACK_ON_ONE, BACK_ON_ONE), watch(ON_TWO, WatchVerdict.LEFT), RECORDED_ONE, Step.ADOPT),
        (both(BACK_ON_ONE, BACK_ON_ONE), watch(ON_TWO, WatchVerdict.PASSED), RECORDED_ONE, Step.ADOPT),
    ],
)
def test_a_release_that_is_left_is_left_by_all_jobs_once(
    states: dict[str, RolloutState], known: Watch, records: list[str], step: Step
) -> None:
    assert next_step(states, known, records) is step
