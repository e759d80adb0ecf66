"""Formats the answers for operators as lines of text."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import cast

import msgspec

from upschedule.processing.operators.answers import (
    Action,
    Changed,
    DeadLetters,
    JobLife,
    QueueListing,
    ServiceStatus,
    Statements,
    Users,
    WrongRows,
)
from upschedule.timetable.event import Event

_NONE = "-"
#: Fields of an event that say where it is printed.
_PLACE = frozenset({"page", "boxes"})
_STATEMENT_CHARACTERS = 120


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Columns as wide as their longest cell. Yields nothing but a line that says so where there are no rows."""
    if not rows:
        yield "  none"
        return
    cells = [list(header), *([_NONE if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def wrong_row_lines(reported: WrongRows) -> Iterator[str]:
    """Each report with what was read, where, and what the student wrote."""
    if not reported.rows:
        yield "no row was reported"
    for each in reported.rows:
        file = f"file until {time_of(each.file_until)}" if each.file_until else "no file"
        yield f"{each.id}  {time_of(each.created_at)}  job {each.job_id or _NONE}, reader {each.reader_version}, {file}"
        places = [f"page {box.page}, row {box.row or _NONE}" for box in each.event.boxes]
        yield f"  {'; '.join(places) or 'no place'}"
        yield f"  {_event_line(each.event)}"
        yield from (f"  > {line}" for line in each.remark.splitlines())
    if reported.left_out:
        yield f"{reported.left_out} older reports are not shown"


def _event_line(event: Event) -> str:
    fields = msgspec.structs.asdict(event)
    shown = {name: _joined(value) for name, value in fields.items() if name not in _PLACE}
    return " | ".join(f"{name} {value}" for name, value in shown.items())


def _joined(value: object) -> str:
    return ", ".join(map(str, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else str(value)


def status_lines(status: ServiceStatus) -> Iterator[str]:
    """Queue, leader, dependencies, releases, failures and the latest changes by operators."""
    queue = status.queue
    yield f"queue: {f'paused since {time_of(status.paused_at)}' if status.paused_at else 'open'}"
    yield (
        f"  {queue.due} due (oldest {queue.oldest_seconds:.0f} s), {queue.delayed} wait for a retry, "
        f"{queue.read_again} wait to be read again, {queue.processing} are read, "
        f"{queue.finished_per_minute:.1f} end per minute"
    )
    leader = status.leader
    if leader is None or not leader.held:
        yield "leader: NONE: lost jobs are not found, and nothing is removed"
    else:
        yield f"leader: term {leader.term}, lease until {time_of(leader.held_until)}"
    yield "dependencies of this scheduler:"
    yield from table(
        ("name", "answers", "seconds"),
        [(each.name, "yes" if each.ok else f"NO: {each.error}", each.seconds) for each in status.dependencies],
    )
    yield "releases whose workers read:"
    yield from table(
        ("release", "seen", "leads since", "confirmed"),
        [
            (each.release, time_of(each.renewed_at), time_of(each.live_since), time_of(each.confirmed_at))
            for each in status.releases
        ],
    )
    yield "failures in the last hour:"
    yield from table(
        ("cause", "jobs", "last"), [(each.code, each.count, time_of(each.last_at)) for each in status.failures]
    )
    if status.exempt:
        yield f"accounts exempt from limits: {', '.join(map(str, status.exempt))}"
    yield "latest changes by operators:"
    yield from _actions(status.actions)


def life_lines(job: JobLife) -> Iterator[str]:
    """One job from its upload to its end, with the traceback of each failure."""
    yield f"job {job.id}: {job.status}{f', place {job.position}' if job.position else ''}"
    yield f"  account {job.account_id}, address {job.address or 'forgotten'}, request {job.request_id or 'unknown'}"
    yield (
        f"  {job.size_bytes} bytes, file {'stored' if job.file_stored else 'deleted'}, "
        f"{job.pages_read} of {job.pages if job.pages is not None else 'unknown'} pages, {job.warnings} warnings"
        f"{', slow' if job.slow else ''}"
    )
    yield f"  attempt {job.attempt}, run {job.run}, release {job.run_release}, reader {job.reader_version}"
    if job.provisional_release:
        yield f"  provisional result of release {job.provisional_release}"
    moments = (
        ("uploaded", job.created_at),
        ("due", job.run_after),
        ("announced", job.rung_at),
        ("short reading ended", job.demoted_at),
        ("last run began", job.started_at),
        ("lease until", job.lease_until),
        ("ended", job.finished_at),
    )
    yield from (f"  {name:20}{time_of(moment)}" for name, moment in moments if moment)
    if job.error:
        yield f"error {job.error.code} (cause {'in' if job.error.in_file else 'outside'} the file): {job.error.detail}"
    for letter in job.letters:
        yield f"attempt {letter.attempt} failed at {time_of(letter.failed_at)}: {letter.code}: {letter.detail}"
        yield from (f"  {line}" for line in letter.traceback.splitlines())
    if job.actions:
        yield "changes by operators:"
        yield from _actions(job.actions)


def queue_lines(listing: QueueListing) -> Iterator[str]:
    """The jobs that are read, then those that wait, in their order."""
    if listing.paused_at:
        yield f"paused since {time_of(listing.paused_at)}: workers take no job"
    yield from table(
        ("place", "job", "account", "address", "attempt", "kind", "uploaded", "due"),
        [
            (
                each.position or each.status,
                each.id,
                each.account_id,
                each.address,
                each.attempt,
                "read again" if each.read_again else "slow" if each.slow else "quick",
                time_of(each.created_at),
                time_of(each.run_after),
            )
            for each in listing.jobs
        ],
    )
    if listing.left_out:
        yield f"and {listing.left_out} more"


def user_lines(users: Users) -> Iterator[str]:
    """Accounts, then addresses; those with most jobs first."""
    for name, found in (("account", users.accounts), ("address", users.addresses)):
        yield f"by {name}:"
        yield from table(
            (name, "wait", "are read", "slow", "seconds used lately"),
            [(each.id, each.queued, each.processing, each.slow, f"{each.used_seconds:.1f}") for each in found],
        )


def letter_lines(dead: DeadLetters) -> Iterator[str]:
    """The newest first."""
    yield from table(
        ("failed", "job", "state now", "attempt", "cause", "retry"),
        [
            (
                time_of(each.failed_at),
                each.job_id,
                each.status,
                each.attempt,
                each.code,
                "possible" if each.can_retry else "no",
            )
            for each in dead.letters
        ],
    )
    if dead.left_out:
        yield f"and {dead.left_out} older ones"


def statement_lines(statements: Statements) -> Iterator[str]:
    """Formats the running statements, then the most expensive ones."""
    yield "statements and open transactions of PostgreSQL, the longest first:"
    if not statements.readable:
        yield "  The scheduler's role may not see those of others: GRANT pg_read_all_stats TO upschedule_scheduler"
    yield from table(
        ("process", "role", "transaction s", "statement s", "waits for", "blocked by", "statement"),
        [
            (
                each.pid,
                each.role,
                _seconds(each.transaction_seconds),
                _seconds(each.statement_seconds),
                each.waits_for,
                ", ".join(map(str, each.blocked_by)) or None,
                each.text[:_STATEMENT_CHARACTERS],
            )
            for each in statements.running
        ],
    )
    if statements.costs is None:
        yield "PostgreSQL has no pg_stat_statements, so what statements cost in all is not known."
        return
    yield "statements that have cost most in all:"
    yield from table(
        ("calls", "mean ms", "most ms", "all s", "statement"),
        [
            (
                each.calls,
                f"{each.mean_milliseconds:.1f}",
                f"{each.max_milliseconds:.1f}",
                f"{each.total_seconds:.1f}",
                each.text[:_STATEMENT_CHARACTERS],
            )
            for each in statements.costs
        ],
    )


def change_line(changed: Changed) -> str:
    """Formats a change and its consequences."""
    match changed.action:
        case "pause":
            return f"The queue is paused since {time_of(changed.paused_at)}. Uploads wait up to the bound of the queue."
        case "resume":
            return "The queue is open: workers take jobs again."
        case "retry":
            return f"Job {changed.job_id} is {changed.status}, with all its attempts."
        case "exempt":
            return f"Account {changed.account_id} is exempt from limits, within seconds at every instance."
        case "end-exemption":
            return f"Account {changed.account_id} has the limits of all others again, within seconds."
        case _:
            return f"Job {changed.job_id} is {changed.status}: cancelled. Its owner may try it again."


def time_of(moment: datetime | None) -> str:
    """Formats a time to the second, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if moment else _NONE


def _actions(actions: Sequence[Action]) -> Iterator[str]:
    yield from table(
        ("when", "what", "job or account", "operator", "from", "why"),
        [
            (
                time_of(each.done_at),
                each.action,
                each.job_id or each.account_id,
                each.operator,
                each.address,
                each.reason or None,
            )
            for each in actions
        ],
    )


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}"
