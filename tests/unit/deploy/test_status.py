"""Tests when a release is healthy, and the exit code for it (R12.3)."""

import pytest

from upschedule.deploy.errors import ExitCode
from upschedule.deploy.rollout_state import Phase
from upschedule.deploy.status import InstanceReport, JobReport, exit_code, is_complete, is_healthy, waited_exit_code


def job(
    phase: Phase,
    *complaints: list[str],
    wanted: int = 2,
    wanted_before: int | None = None,
    as_stack: bool | None = None,
) -> JobReport:
    """A report with an instance for each list of complaints."""
    instances = [
        InstanceReport(id=f"{number}", node="n", version=1, canary=False, status="running", complaints=complaint)
        for number, complaint in enumerate(complaints)
    ]
    return JobReport(
        job="api",
        phase=phase,
        version=1,
        release="1",
        commit=None,
        wanted=wanted,
        wanted_before=wanted_before,
        as_stack=as_stack,
        said="",
        reasons=[],
        instances=instances,
    )


@pytest.mark.parametrize(
    ("reported", "well", "code"),
    [
        (job(Phase.SETTLED, [], []), True, ExitCode.DONE),
        (job(Phase.SETTLED, [], ["critical"]), False, ExitCode.UNHEALTHY),
        (job(Phase.SETTLED, []), False, ExitCode.UNHEALTHY),
        (job(Phase.WAITING, [], []), False, ExitCode.UNDER_WAY),
        (job(Phase.STOPPED, wanted=0), False, ExitCode.UNHEALTHY),
        # The running release is healthy, although the new one failed.
        (job(Phase.RETURNED, [], []), True, ExitCode.FAILED),
        (job(Phase.RETURNED, []), False, ExitCode.FAILED),
        # Once the stack names the running release, the one that was left no longer counts.
        (job(Phase.RETURNED, [], [], as_stack=True), True, ExitCode.DONE),
        (job(Phase.RETURNED, [], ["critical"], as_stack=True), False, ExitCode.UNHEALTHY),
        (job(Phase.FAILED, [], [], as_stack=True), True, ExitCode.FAILED),
        # The running release is healthy, but the next `up` would change nothing.
        (job(Phase.SETTLED, [], [], as_stack=False), True, ExitCode.FAILED),
        (job(Phase.WAITING, [], [], as_stack=False), False, ExitCode.UNDER_WAY),
        # The autoscaler adds instances, which may be starting, or removes some.
        (job(Phase.SETTLED, [], [], ["critical"], wanted=5, wanted_before=2), True, ExitCode.DONE),
        (job(Phase.SETTLED, [], ["critical"], wanted=5, wanted_before=2), False, ExitCode.UNHEALTHY),
        (job(Phase.SETTLED, [], wanted=1, wanted_before=2), True, ExitCode.DONE),
    ],
)
def test_well_is_what_runs_and_the_code_is_of_the_last_release(reported: JobReport, well: bool, code: ExitCode) -> None:  # noqa: FBT001 - a parameter of the test
    """Both values are needed: one to wait after an outage, the other to judge a release."""
    assert is_healthy([reported]) is well
    assert exit_code([reported]) == code


@pytest.mark.parametrize(
    ("reported", "complete", "code"),
    [
        (job(Phase.SETTLED, [], []), True, ExitCode.DONE),
        # Nomad refuses to scale again until this is done, so the operator waits for all five.
        (job(Phase.SETTLED, [], [], wanted=5, wanted_before=2), False, ExitCode.UNHEALTHY),
        (job(Phase.SETTLED, [], wanted=1, wanted_before=2), False, ExitCode.UNHEALTHY),
        (job(Phase.RETURNED, [], []), True, ExitCode.DONE),
        (job(Phase.RETURNED, []), False, ExitCode.FAILED),
        (job(Phase.WAITING, [], []), False, ExitCode.UNDER_WAY),
    ],
)
def test_a_wait_lasts_until_the_number_of_instances_is_reached(
    reported: JobReport,
    complete: bool,  # noqa: FBT001 - a parameter of the test
    code: ExitCode,
) -> None:
    """The runbook about scaling says that all instances are healthy when the command ends."""
    assert is_complete([reported]) is complete
    assert waited_exit_code([reported]) == code
