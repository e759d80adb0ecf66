"""Why an instance failed, told from what Nomad noted of its tasks. Pure."""

from collections.abc import Mapping

import msgspec

from upschedule.deploy.nomad_model import Allocation, Task, TaskEvent, TaskState

#: 128 + SIGKILL. Nomad 1.6 does not say that the kernel did it.
_KILLED = 137
#: Events before the program could start; their message is the reason.
_NOT_STARTED = frozenset(
    {
        "Driver Failure",
        "Failed Artifact Download",
        "Failed Validation",
        "Setup Failure",
        "Task hook failed",
        "Template",
        "Failed Restoring Task",
    }
)


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """`task`: the one whose log tells more, None where none would."""

    sentence: str
    task: str | None = None


def causes(allocation: Allocation, tasks: Mapping[str, Task]) -> list[Cause]:
    """The tasks that failed, or else what Nomad says of the whole."""
    states = allocation.task_states or {}
    found = [cause for name, state in states.items() if (cause := _cause(name, state, tasks.get(name)))]
    return found or [Cause(sentence=_verdict(states), task=_still_running(states, tasks))]


def _cause(name: str, state: TaskState, task: Task | None) -> Cause | None:
    events = state.events or []
    kind = "prestart task" if task and task.is_prestart else "task"
    for event in reversed(events):
        if event.type in _NOT_STARTED:
            return Cause(sentence=f"{kind} {name} could not start: {event.type}: {event.display_message}")
    ended = _last_own_end(events)
    if ended is None:
        restart = next((event for event in reversed(events) if event.type == "Restart Signaled"), None)
        said = f"{kind} {name} was restarted by Nomad: {restart.display_message}" if restart else ""
        return Cause(sentence=said, task=name) if said else None
    times = f", {state.restarts + 1} times" if state.restarts else ""
    return Cause(sentence=f"{kind} {name} {_ending(ended, task)}{times}", task=name)


def _last_own_end(events: list[TaskEvent]) -> TaskEvent | None:
    """The last failure that nobody asked for: after `Killing` a task ends because it was told to."""
    found: TaskEvent | None = None
    told = False
    for event in events:
        if event.type == "Terminated" and (event.exit_code or event.signal) and not told:
            found = event
        told = event.type == "Killing" or (told and event.type != "Started")
    return found


def _ending(event: TaskEvent, task: Task | None) -> str:
    if event.exit_code == _KILLED:
        limit = f" of {task.resources.memory_mb} MB" if task and task.resources.memory_mb else ""
        return f"was killed (exit code {_KILLED}), as happens above its memory limit{limit}"
    return f"ended with exit code {event.exit_code}"


def _verdict(states: Mapping[str, TaskState]) -> str:
    for state in states.values():
        for event in reversed(state.events or []):
            if event.type == "Alloc Unhealthy":
                return event.display_message
    return "did not become healthy in time"


def _still_running(states: Mapping[str, TaskState], tasks: Mapping[str, Task]) -> str | None:
    running = [name for name, state in states.items() if state.state == "running"]
    prestart = [name for name in running if name in tasks and tasks[name].is_prestart]
    return next(iter(prestart or running), None)
