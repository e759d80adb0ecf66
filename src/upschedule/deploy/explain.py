"""Writes texts about a release for the terminal: its state in one line, and why a deployment fails or failed."""

from collections.abc import Container, Iterable, Mapping, Sequence

import msgspec

from upschedule.deploy import history
from upschedule.deploy.errors import DeployError
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.nomad_model import (
    Allocation,
    Deployment,
    Evaluation,
    JobSnapshot,
    Task,
    TaskEvent,
    TaskState,
)
from upschedule.deploy.rollout_state import Phase, RolloutState

_ID_LENGTH = 8
_NOT_BEGUN = "registered; Nomad has started none of its instances yet"
_LOG_LINES = 6
_INSTANCES_MAX = 3
#: 128 + SIGKILL. Nomad 1.6 does not report that the kernel killed the task of an `exec` driver.
_KILLED = 137
#: As other drivers report it in the event's message.
_OUT_OF_MEMORY = "oom"
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


class FailureCause(msgspec.Struct, frozen=True, kw_only=True):
    """`task` is the task whose log has more detail; None when no log has. `times` is how often it happened."""

    text: str
    task: str | None = None
    times: int = 1


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence about an instance, and the end of its task's log, indented."""

    sentence: str
    log: list[str]

    @property
    def lines(self) -> list[str]:
        return [self.sentence, *self.log]


def short_id(allocation: str) -> str:
    """Shortens an id as Nomad's own command line does."""
    return allocation[:_ID_LENGTH]


def describe(snapshot: JobSnapshot, state: RolloutState) -> str:
    """One line: the release, its progress, and what it waits for. A pure function."""
    job = state.job
    if job is None:
        return "is not registered: no release has been started here"
    if state.phase is Phase.STOPPED:
        return f"is stopped (version {job.version}): `pulumi up --refresh` starts it again"
    return f"release {job.release}, version {job.version}: {_progress(snapshot, state)}"


def _progress(snapshot: JobSnapshot, state: RolloutState) -> str:
    deployment = state.deployment
    match state.phase:
        case Phase.STARTING | Phase.WAITING | Phase.ROLLING:
            return _ahead(snapshot, state, deployment) if deployment else _NOT_BEGUN
        case Phase.RETURNING:
            return f"{_failure(state)}; {_return(state)}"
        case Phase.RETURNED:
            return f"{_failure(state)}; the earlier release is back and runs on all instances"
        case Phase.FAILED:
            return f"{_failure(state)}; nothing brings an earlier version back: `upschedule deploy revert`"
        case _:
            count = state.job.count if state.job else 0
            kind = f"scaling from {state.count_before}" if state.is_scaling else "settled"
            return f"{kind}, {len(state.instances)} of {count} instances run"


def _ahead(snapshot: JobSnapshot, state: RolloutState, deployment: Deployment) -> str:
    if state.phase is Phase.WAITING:
        return f"{_canary_names(state)} healthy, waits for promotion: `upschedule deploy promote`"
    if not deployment.is_active:
        return _NOT_BEGUN
    text = _replacement(deployment) if state.phase is Phase.ROLLING else _canary_progress(state, deployment)
    reasons = missing_resources(snapshot.evaluations)
    return text + (f"; no node takes an instance: {', '.join(reasons)}" if reasons else "")


def _canary_progress(state: RolloutState, deployment: Deployment) -> str:
    healthy = sum(each.is_healthy for each in state.canaries)
    placed = f"{len(state.canaries)} of {deployment.canaries_desired} canaries placed, {healthy} healthy"
    return f"{placed}, no visitors yet"


def _canary_names(state: RolloutState) -> str:
    names = ", ".join(short_id(each.id) for each in state.canaries)
    return f"canary {names} is" if len(state.canaries) == 1 else f"canaries {names} are"


def _replacement(deployment: Deployment) -> str:
    groups = deployment.task_groups.values()
    healthy, wanted = sum(each.healthy_allocs for each in groups), sum(each.desired_total for each in groups)
    return f"being rolled out, {healthy} of {wanted} instances healthy"


def _return(state: RolloutState) -> str:
    if state.failed is state.deployment:
        return "Nomad brings the earlier version back"
    if state.promotable:
        return (
            f"the earlier version comes back, but {_canary_names(state)} healthy and waits: `upschedule deploy revert`"
        )
    return f"the earlier version comes back{f', {_replacement(state.deployment)}' if state.deployment else ''}"


def _failure(state: RolloutState) -> str:
    failed = state.failed
    if failed is None:
        return "failed"
    reason = (
        "a person or the gate decided so" if failed.is_failed_by_hand else failed.status_description.partition(" - ")[0]
    )
    return f"release {state.failed_release} (version {failed.job_version}) failed: {reason}"


def missing_resources(evaluations: Iterable[Evaluation]) -> list[str]:
    """The resources and constraints that keep Nomad from placing instances. A pure function."""
    reasons: set[str] = set()
    for evaluation in evaluations:
        if evaluation.status == "blocked":
            for placement in (evaluation.failed or {}).values():
                if not placement.nodes_evaluated:
                    reasons.add("no node is ready in the datacenter")
                reasons |= {
                    f"not enough {name} on {n} nodes" for name, n in (placement.dimension_exhausted or {}).items()
                }
                reasons |= {f"{name} fits no node" for name in placement.constraint_filtered or {}}
    return sorted(reasons)


def explain_failure(
    nomad: NomadClient, snapshot: JobSnapshot, deployment: Deployment, failing_checks: Mapping[str, Sequence[str]]
) -> list[str]:
    """Why `deployment` failed, with the ends of the tasks' logs.

    `failing_checks` are the last known ones by allocation: Consul forgets the checks of an instance that ends.
    """
    bad = [each for each in _allocations_of(snapshot, deployment) if each.is_unhealthy or not each.is_healthy]
    newest = sorted(bad, key=lambda each: -each.create_time)[:_INSTANCES_MAX]
    lines = [
        line for each in newest for line in _explain_instance(nomad, snapshot, each, failing_checks.get(each.id, ()))
    ]
    lines += [f"no node takes an instance: {reason}" for reason in missing_resources(snapshot.evaluations)]
    if deployment.is_failed_by_hand:
        return lines
    return lines or ["Nomad says nothing more; `nomad deployment status` and `nomad alloc status` may"]


def explain_troubles(
    nomad: NomadClient, snapshot: JobSnapshot, deployment: Deployment, *, known: Container[str] = ()
) -> list[Trouble]:
    """What the instances of a deployment that is under way have met so far, with the ends of the tasks' logs.

    Leaves out the sentences in `known`: they name the number of failures, so that each failure is new.
    """
    found: list[Trouble] = []
    for each in sorted(_allocations_of(snapshot, deployment), key=lambda each: -each.create_time)[:_INSTANCES_MAX]:
        job = history.find_version(snapshot, each.job_version)
        for cause in task_failures(each.task_states or {}, job.tasks if job else {}):
            sentence = f"{instance_name(each)}: {cause.text}"
            if sentence not in known:
                found.append(Trouble(sentence=sentence, log=_cause_log(nomad, each.id, cause)))
    return found


def _allocations_of(snapshot: JobSnapshot, deployment: Deployment) -> list[Allocation]:
    return [
        each
        for each in snapshot.allocations
        if each.job_version == deployment.job_version and each.deployment_status is not None
    ] or [each for each in snapshot.allocations if each.id in deployment.canaries]


def _explain_instance(
    nomad: NomadClient, snapshot: JobSnapshot, allocation: Allocation, failing_checks: Iterable[str]
) -> list[str]:
    job = history.find_version(snapshot, allocation.job_version)
    name = instance_name(allocation)
    lines = [f"{name}: {check}" for check in failing_checks]
    for cause in failure_causes(allocation, job.tasks if job else {}):
        lines += [f"{name}: {cause.text}", *_cause_log(nomad, allocation.id, cause)]
    return lines


def instance_name(allocation: Allocation) -> str:
    """The instance and its node, for sentences."""
    return f"instance {short_id(allocation.id)} on {allocation.node_name}"


def _cause_log(nomad: NomadClient, allocation: str, cause: FailureCause) -> list[str]:
    return [f"  {cause.task} | {line}" for line in _log_lines(nomad, allocation, cause.task)] if cause.task else []


def _log_lines(nomad: NomadClient, allocation: str, task: str) -> list[str]:
    lines: list[str] = []
    for stream in ("stdout", "stderr"):
        try:
            text = nomad.log_tail(allocation, task, stream)
        except DeployError as error:
            text = f"(its {stream} cannot be read: {error})"
        lines += [line for line in text.splitlines() if line.strip()][-_LOG_LINES:]
    return lines


def failure_causes(allocation: Allocation, tasks: Mapping[str, Task]) -> list[FailureCause]:
    """The tasks that failed, or else what Nomad reports about the allocation. A pure function."""
    states = allocation.task_states or {}
    return task_failures(states, tasks) or [
        FailureCause(text=_allocation_failure(states), task=_running_task(states, tasks))
    ]


def task_failures(states: Mapping[str, TaskState], tasks: Mapping[str, Task]) -> list[FailureCause]:
    """The tasks that failed at least once, also those that run again. A pure function."""
    return [cause for name, state in states.items() if (cause := _task_failure(name, state, tasks.get(name)))]


def _task_failure(name: str, state: TaskState, task: Task | None) -> FailureCause | None:
    events = state.events or []
    kind = "prestart task" if task and task.is_prestart else "task"
    for event in reversed(events):
        if event.type == "Started":
            break
        if event.type in _NOT_STARTED:
            return FailureCause(text=f"{kind} {name} could not start: {event.type}: {event.display_message}")
    ended = _last_own_exit(events)
    if ended is None:
        restart = next((event for event in reversed(events) if _is_failed_check(event)), None)
        text = f"{kind} {name} was restarted by Nomad: {restart.display_message}" if restart else ""
        return FailureCause(text=text, task=name) if text else None
    # A task that runs again, or will, has been restarted after each of its failures.
    count = state.restarts + (state.state == "dead")
    times = f", {count} times" if count > 1 else ""
    return FailureCause(text=f"{kind} {name} {_exit_text(ended, task)}{times}", task=name, times=max(count, 1))


def _is_failed_check(event: TaskEvent) -> bool:
    """Whether a check caused the restart, and not a person or a changed template."""
    return event.type == "Restart Signaled" and "unhealthy" in event.display_message


def _last_own_exit(events: list[TaskEvent]) -> TaskEvent | None:
    """The last exit not caused by Nomad: exits after a `Killing` event are requested and ignored."""
    found: TaskEvent | None = None
    requested = False
    for event in events:
        if event.type == "Terminated" and (event.exit_code or event.signal) and not requested:
            found = event
        requested = event.type == "Killing" or (requested and event.type != "Started")
    return found


def _exit_text(event: TaskEvent, task: Task | None) -> str:
    if event.exit_code == _KILLED or _OUT_OF_MEMORY in event.display_message.lower():
        limit = f" of {task.resources.memory_mb} MB" if task and task.resources.memory_mb else ""
        return f"was killed (exit code {event.exit_code}), as happens above its memory limit{limit}"
    return f"ended with exit code {event.exit_code}"


def _allocation_failure(states: Mapping[str, TaskState]) -> str:
    for state in states.values():
        for event in reversed(state.events or []):
            if event.type == "Alloc Unhealthy":
                return event.display_message
    return "did not become healthy in time"


def _running_task(states: Mapping[str, TaskState], tasks: Mapping[str, Task]) -> str | None:
    running = [name for name, state in states.items() if state.state == "running"]
    prestart = [name for name in running if name in tasks and tasks[name].is_prestart]
    return next(iter(prestart or running), None)
