"""The cause of an instance's failure, from Nomad's events of its tasks."""

import msgspec
import pytest

from tests.support.builders.nomad_answers import allocation, events, specification
from upschedule.deploy.explain import failure_causes
from upschedule.deploy.nomad_model import Job

TASKS = msgspec.convert(specification(0, "one"), Job).tasks
ENDED_WELL = events(("Started", "Task started by client", 0), ("Terminated", "Exit Code: 0", 0))
CASES = {
    "prestart": (
        {"prepare": events(("Terminated", "Exit Code: 4", 4), ("Not Restarting", "Policy", 0))},
        "prestart task prepare ended with exit code 4",
        "prepare",
    ),
    "memory": (
        {"prepare": ENDED_WELL, "serve": events(("Started", "", 0), ("Terminated", "Exit Code: 137, Signal: 9", 137))},
        "task serve was killed (exit code 137), as happens above its memory limit of 1024 MB",
        "serve",
    ),
    "artifact": (
        {"prepare": events(("Failed Artifact Download", "checksums did not match", 0))},
        "prestart task prepare could not start: Failed Artifact Download: checksums did not match",
        None,
    ),
    "liveness": (
        {
            "serve": events(
                ("Started", "", 0),
                ("Restart Signaled", 'check "live" unhealthy', 0),
                ("Killing", "", 0),
                ("Terminated", "Exit Code: 130", 130),
            )
        },
        'task serve was restarted by Nomad: check "live" unhealthy',
        "serve",
    ),
    "deadline": (
        {
            "serve": events(
                ("Started", "", 0),
                ("Alloc Unhealthy", "Task not running by deadline", 0),
                ("Killing", "", 0),
                ("Terminated", "", 143),
            )
        },
        "Task not running by deadline",
        None,
    ),
}


@pytest.mark.parametrize(("tasks", "text", "log_of"), CASES.values(), ids=CASES)
def test_the_task_that_failed_is_named_with_the_log_that_tells_more(
    tasks: dict[str, object], text: str, log_of: str | None
) -> None:
    """A task that ended on request is not the cause."""
    (cause,) = failure_causes(allocation("a", 0, tasks=tasks), TASKS)

    assert (cause.text, cause.task) == (text, log_of)
