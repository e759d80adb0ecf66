"""Tests which restarts of a release's instances count, and the finding about them."""

from typing import Any

import pytest

from tests.support.builders.nomad_answers import allocation, events, snapshot, specification
from upschedule.deploy.nomad_model import JobSnapshot
from upschedule.deploy.restarts import restart_sentences, restarts_finding

ONE, TWO = specification(0, "one"), specification(1, "two", stable=False)
SECOND = 1_000_000_000
STARTED = ("Started", "Task started by client", 0)
CRASHED = ("Terminated", "Exit Code: 1", 1)
KILLED = ("Terminated", "Exit Code: 137, Signal: 9", 137)


def task(*told: tuple[str, str, int], restarts: int = 0) -> dict[str, Any]:
    """A task that runs."""
    return {**events(*told), "State": "running", "Failed": False, "Restarts": restarts}


def of_release(tasks: dict[str, Any], *, version: int = 1, status: str = "running") -> JobSnapshot:
    return snapshot([TWO, ONE], [], [allocation("abc", version, tasks=tasks, status=status)])


def findings(job: JobSnapshot, *, starts: dict[str, float] | None = None, version: int = 1) -> list[str]:
    return restart_sentences([job], {"api": version}, starts or {})


@pytest.mark.parametrize(
    ("tasks", "text"),
    [
        ({"serve": task(STARTED, CRASHED, STARTED, restarts=1)}, "task serve ended with exit code 1"),
        (
            {"serve": task(STARTED, KILLED, STARTED, KILLED, STARTED, restarts=2)},
            "task serve was killed (exit code 137), as happens above its memory limit of 1024 MB, 2 times",
        ),
        (
            {"serve": task(STARTED, ("Terminated", 'Exit Message: "OOM killed"', 1), STARTED, restarts=1)},
            "task serve was killed (exit code 1), as happens above its memory limit of 1024 MB",
        ),
        (
            {
                "serve": task(
                    STARTED,
                    ("Restart Signaled", 'healthcheck: check "live" unhealthy', 0),
                    ("Killing", "", 0),
                    ("Terminated", "", 143),
                    STARTED,
                    restarts=1,
                )
            },
            'task serve was restarted by Nomad: healthcheck: check "live" unhealthy',
        ),
    ],
    ids=["crash", "memory", "memory by another driver", "liveness"],
)
def test_a_task_that_failed_counts_though_it_runs_again(tasks: dict[str, Any], text: str) -> None:
    assert findings(of_release(tasks)) == [f"instance abc on one of api: {text}"]


@pytest.mark.parametrize(
    "tasks",
    [
        {"serve": task(STARTED)},
        # An operator or a changed template requested the restart.
        {
            "serve": task(
                STARTED,
                ("Restart Signaled", "Template with change_mode restart re-rendered", 0),
                ("Killing", "", 0),
                ("Terminated", "", 143),
                STARTED,
                restarts=1,
            )
        },
        # The task waits for others.
        {"prepare": task(STARTED, CRASHED, STARTED, restarts=1), "serve": task(STARTED)},
        # The task ended as requested when the release was left.
        {"serve": task(STARTED, ("Killing", "Sent interrupt", 0), ("Terminated", "Exit Code: 143", 143))},
    ],
    ids=["none", "requested", "prestart", "stopped"],
)
def test_an_end_that_was_requested_is_none(tasks: dict[str, Any]) -> None:
    assert findings(of_release(tasks)) == []


def test_instances_of_the_release_before_do_not_count_and_those_that_have_ended_do() -> None:
    crash = {"serve": task(STARTED, CRASHED, STARTED, restarts=1)}
    assert findings(of_release(crash, version=0)) == []
    assert len(findings(of_release(crash, status="failed"))) == 1
    # Scaling creates a version of the same release.
    assert len(findings(of_release(crash, version=1), version=0)) == 1


def test_a_process_that_began_long_after_its_task_was_started_again_unseen() -> None:
    job = of_release({"serve": {**task(), "Events": [{"Type": "Started", "Time": 1_000 * SECOND}]}})
    assert findings(job, starts={"abc": 1_008.0}) == []
    assert findings(job, starts={"abc": 1_130.0}) == [
        "instance abc on one of api: its process began anew 130 s after its task, unseen by Nomad"
    ]


def test_the_finding_says_why() -> None:
    assert restarts_finding([], name="the canaries").ok
    failed = restarts_finding(["instance abc crashed"], name="the canaries")
    assert (failed.ok, failed.subject, failed.detail) == (False, "restarts of the canaries", "instance abc crashed")
