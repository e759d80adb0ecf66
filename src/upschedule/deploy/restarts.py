"""Finds restarts of a release's instances: crashes, kills and failed liveness checks. Pure functions.

A good release's processes end only when Nomad, an operator or a changed template ends them.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from upschedule.deploy import history
from upschedule.deploy.explain import instance_name, task_failures
from upschedule.deploy.findings import Finding
from upschedule.deploy.nomad_model import Allocation, JobSnapshot

#: From the start of a task to that of the process which measures itself: a slow node needs some seconds.
_PROCESS_START_SECONDS = 60.0
_NANOSECONDS = 1e9


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """Restarts of one task of one instance; `times` is how often."""

    sentence: str
    times: int


def restart_sentences(
    snapshots: Iterable[JobSnapshot], versions: Mapping[str, int], process_starts: Mapping[str, float]
) -> list[str]:
    """One sentence for each of the `restarts`."""
    return [each.sentence for each in restarts(snapshots, versions, process_starts)]


def restarts(
    snapshots: Iterable[JobSnapshot], versions: Mapping[str, int], process_starts: Mapping[str, float]
) -> list[Restart]:
    """One entry for each task that failed, and for each process that restarted unnoticed by Nomad.

    `versions` are the first versions of the release by job; later ones are scalings of it. `process_starts` are
    seconds since 1970 by allocation, as Prometheus has them of the processes; those that are not known are left out.
    """
    return [
        Restart(sentence=f"{instance_name(each)} of {snapshot.name}: {text}", times=times)
        for snapshot in snapshots
        if snapshot.name in versions
        for each in snapshot.allocations
        if each.job_version >= versions[snapshot.name]
        for text, times in _failures(snapshot, each, process_starts.get(each.id))
    ]


def restarts_finding(sentences: Iterable[str], *, name: str) -> Finding:
    """`name` says whose restarts they are."""
    known = list(sentences)
    return Finding(subject=f"restarts of {name}", ok=not known, detail="; ".join(known) or "none")


def _failures(snapshot: JobSnapshot, allocation: Allocation, process_start: float | None) -> Iterator[tuple[str, int]]:
    """Leaves out the tasks before the main one, which wait for others and may repeat."""
    job = history.find_version(snapshot, allocation.job_version)
    tasks = job.tasks if job else {}
    main = {
        name: state
        for name, state in (allocation.task_states or {}).items()
        if name not in tasks or not tasks[name].is_prestart
    }
    failures = task_failures(main, tasks)
    yield from ((cause.text, cause.times) for cause in failures)
    events = [event for state in main.values() for event in state.events or []]
    started = max((event.time / _NANOSECONDS for event in events if event.type == "Started"), default=None)
    if not failures and process_start and started and process_start > started + _PROCESS_START_SECONDS:
        yield f"its process began anew {process_start - started:.0f} s after its task, unseen by Nomad", 1
