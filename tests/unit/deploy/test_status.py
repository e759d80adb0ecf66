"""When all is well, and which exit code says so (R12.3)."""

import pytest

from upschedule.deploy.errors import ExitCode
from upschedule.deploy.rollout_state import Phase
from upschedule.deploy.status import InstanceReport, JobReport, exit_code, is_healthy


def job(phase: Phase, *complaints: list[str], wanted: int = 2) -> JobReport:
    """With an instance for each list of complaints."""
    instances = [
        InstanceReport(id=f"{number}", node="n", version=1, canary=False, status="running", complaints=said)
        for number, said in enumerate(complaints)
    ]
    return JobReport(
        job="api",
        phase=phase,
        version=1,
        release="1",
        commit=None,
        wanted=wanted,
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
        # What runs is well, though the release that was to come is not.
        (job(Phase.RETURNED, [], []), True, ExitCode.FAILED),
        (job(Phase.RETURNED, []), False, ExitCode.FAILED),
    ],
)
def test_well_is_what_runs_and_the_code_is_of_the_last_release(reported: JobReport, well: bool, code: ExitCode) -> None:  # noqa: FBT001 - a parameter of the test
    """Each has its use: waiting after an outage, and judging a release."""
    assert is_healthy([reported]) is well
    assert exit_code([reported]) == code
