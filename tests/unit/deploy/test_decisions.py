"""Tests how `revert` and `status` decide for several jobs together."""

import pytest

from tests.support.builders.nomad_answers import allocation, deployment, snapshot, specification
from upschedule.deploy.applied import Applied
from upschedule.deploy.consul import ConsulCheck, Registration, failing_checks
from upschedule.deploy.errors import ExitCode
from upschedule.deploy.rollback import jobs_to_revert
from upschedule.deploy.rollout_state import Phase, RolloutState, derive
from upschedule.deploy.status import InstanceReport, JobReport, exit_code

SETTLED = derive(snapshot([specification(1, "two"), specification(0, "one")], [deployment(1, "successful")]))
WAITING = derive(
    snapshot(
        [specification(1, "two", stable=False), specification(0, "one")],
        [deployment(1, "running", canaries=("c",), desired_canaries=1)],
        [allocation("c", 1)],
    )
)
RETURNED = derive(
    snapshot(
        [specification(2, "one"), specification(1, "two", stable=False), specification(0, "one")],
        [
            deployment(2, "successful"),
            deployment(1, "failed", "Failed due to unhealthy allocations - rolling back to job version 0"),
        ],
    )
)
OLD = derive(snapshot([specification(0, "one")], [deployment(0, "successful")]))
RED, BLUE = specification(0, "one", settings="red"), specification(1, "one", settings="blue", stable=False)
ROLLING_BACK = "Failed due to unhealthy allocations - rolling back to job version 0"
RED_AGAIN = specification(2, "one", settings="red")
BACK_AT_RED = derive(
    snapshot([RED_AGAIN, BLUE, RED], [deployment(2, "successful"), deployment(1, "failed", ROLLING_BACK)])
)
SCALED_RED = derive(
    snapshot(
        [specification(3, "one", settings="red", count=3), RED_AGAIN, BLUE, RED],
        [
            deployment(3, "successful"),
            deployment(2, "successful"),
            deployment(1, "failed", ROLLING_BACK),
        ],
    )
)


@pytest.mark.parametrize(
    ("worker", "api", "expected"),
    [
        (WAITING, SETTLED, ["worker"]),
        (SETTLED, SETTLED, ["worker", "api"]),
        (RETURNED, RETURNED, []),
        # Nomad reverted one job of a release. The other follows, unless it never ran that release.
        (RETURNED, SETTLED, ["api"]),
        (RETURNED, OLD, []),
        # Two settings of one release are two releases. Scaling does not make the restored one a target of the revert.
        (BACK_AT_RED, SCALED_RED, []),
    ],
)
def test_revert_concerns_what_is_under_way_or_else_the_release_that_is_to_go(
    worker: RolloutState, api: RolloutState, expected: list[str]
) -> None:
    assert jobs_to_revert({"worker": worker, "api": api}) == expected


def test_once_the_stack_names_what_runs_that_release_can_be_left_as_well() -> None:
    """The release that failed before no longer matters then."""
    states = {"worker": RETURNED, "api": RETURNED}

    assert jobs_to_revert(states, Applied(release="two")) == []
    assert jobs_to_revert(states, Applied(release="one")) == ["worker", "api"]


def job(phase: Phase, *, complaint: str = "") -> JobReport:
    instance = InstanceReport(
        id="a", node="one", version=1, canary=False, status="running", complaints=[complaint] if complaint else []
    )
    return JobReport(
        job="api",
        phase=phase,
        version=1,
        release="two",
        commit=None,
        wanted=1,
        said="",
        reasons=[],
        instances=[instance],
    )


@pytest.mark.parametrize(
    ("jobs", "code"),
    [
        ([job(Phase.SETTLED), job(Phase.SETTLED)], ExitCode.DONE),
        ([job(Phase.SETTLED), job(Phase.SETTLED, complaint="check is critical")], ExitCode.UNHEALTHY),
        ([job(Phase.SETTLED), job(Phase.ABSENT)], ExitCode.UNHEALTHY),
        ([job(Phase.SETTLED), job(Phase.WAITING)], ExitCode.UNDER_WAY),
        ([job(Phase.ROLLING), job(Phase.RETURNED)], ExitCode.FAILED),
    ],
)
def test_the_worst_of_the_jobs_is_the_exit_code(jobs: list[JobReport], code: ExitCode) -> None:
    assert exit_code(jobs) is code


def test_an_instance_that_is_not_registered_is_not_passing() -> None:
    """A token that may not read a service gets no instance of it."""
    passing = Registration(service="api", checks=(ConsulCheck(name="ready", status="passing"),))
    failing = Registration(service="api", checks=(ConsulCheck(name="ready", status="critical", output="503\nmore"),))

    assert failing_checks([passing], ["api"]) == []
    assert failing_checks([failing], ["api"]) == ["check 'ready' of api is critical: 503"]
    assert failing_checks([], ["api"]) == ["is not registered in Consul as api"]
