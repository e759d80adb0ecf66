"""`upschedule ops`: what the service does, why a job failed, and the few changes that operators make by hand."""

import functools
import getpass
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar
from uuid import UUID

import click
import msgspec

from upschedule.cli import operator_text as text
from upschedule.cli.failing import fail
from upschedule.cli.operator_client import NothingFound, OperatorClient, operator_client, problem_of, prometheus_client
from upschedule.deploy.environment import key_writer_from
from upschedule.deploy.errors import DeployError, ServerRefused
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.service_report.contents import Contents, FailedDocuments
from upschedule.deploy.service_report.panels import dashboards
from upschedule.processing.operators.answers import (
    Changed,
    DeadLetters,
    JobLife,
    QueueListing,
    ReportedFile,
    ServiceStatus,
    Statements,
    Users,
    WrongRows,
)
from upschedule.services.live import YEARS_PREFIX, ValueRefused, read_key

P = ParamSpec("P")
T = TypeVar("T")

_REASON_CHARACTERS = 500
_NO_PAGES = 'route!~"/health/.*|/metrics"'
_SLOWEST = 10


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """The latency of an instance or a route: the 95th percentile and the number of requests."""

    name: str
    p95_seconds: float
    requests_per_second: float


class Slow(msgspec.Struct, frozen=True, kw_only=True):
    """`instances` and `routes` are None where there is no Prometheus."""

    instances: tuple[Latency, ...] | None
    routes: tuple[Latency, ...] | None
    statements: Statements


class _Scheduler(msgspec.Struct, frozen=True, kw_only=True):
    """The address of a scheduler and the token for it. If they are empty, the command looks for them in the cluster."""

    address: str
    token: str


def _answers(run: Callable[P, None]) -> Callable[P, None]:
    """Ends the process with a sentence and an exit code where the scheduler does not do what was asked."""

    @functools.wraps(run)
    def command_with_exit(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            run(*args, **kwargs)
        except ServerRefused as error:
            fail(_exit_code(error), problem_of(error) or error)
        except DeployError as error:
            fail(os.EX_UNAVAILABLE, error)

    return command_with_exit


def _exit_code(error: ServerRefused) -> int:
    if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return os.EX_NOPERM
    return os.EX_UNAVAILABLE if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else os.EX_DATAERR


_as_json = click.option("--json", "as_json", is_flag=True, help="Print the scheduler's answer as JSON.")


_prometheus = click.option(
    "--prometheus",
    envvar="UPSCHEDULE_DEPLOY_PROMETHEUS",
    default="",
    help="Address of Prometheus; by default Consul names it.",
)


def _change_options(run: Callable[P, None]) -> Callable[P, None]:
    """Adds who makes the change and why, which are recorded."""
    options = (
        click.option(
            "--operator",
            envvar="UPSCHEDULE_OPS_OPERATOR",
            default=getpass.getuser,
            help="Your name for the record; by default that of your account on this machine.",
        ),
        click.option("--reason", default="", help="Why, for the record."),
        _as_json,
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), run)


@click.group("ops")
@click.option("--address", envvar="UPSCHEDULE_OPS_ADDRESS", default="", help="A scheduler's URL, instead of Consul's.")
@click.option(
    "--token",
    envvar="UPSCHEDULE_OPS_TOKEN",
    default="",
    help="The operators' token, instead of Nomad's. In the variable: others on this machine can see a command line.",
)
@click.pass_context
def command(context: click.Context, *, address: str, token: str) -> None:
    """See what the service does and why, and make the few changes that are made by hand.

    Finds a scheduler by Consul (CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN) and the operators' token in Nomad (NOMAD_ADDR,
    NOMAD_TOKEN, NOMAD_NAMESPACE). docs/operators.md says which rights these tokens need. Exit codes: 0 done, 65 refused
    for the state of the job, 69 no answer, 77 the token is missing or wrong.
    """
    context.obj = _Scheduler(address=address, token=token)


@command.command()
@_as_json
@_answers
def status(*, as_json: bool) -> None:
    """Show the queue, the leader, dependencies, releases, failures of the last hour and the latest changes."""
    _show("status", ServiceStatus, text.status_lines, as_json=as_json)


@command.command()
@click.argument("job", type=click.UUID)
@_as_json
@_answers
def why(job: UUID, *, as_json: bool) -> None:
    """Show the life of JOB: its times, attempts, error and traceback."""
    _show(f"jobs/{job}", JobLife, text.life_lines, as_json=as_json)


@command.command()
@_as_json
@_answers
def queue(*, as_json: bool) -> None:
    """Show the jobs that are read and those that wait, in their order."""
    _show("queue", QueueListing, text.queue_lines, as_json=as_json)


@command.command()
@_as_json
@_answers
def who(*, as_json: bool) -> None:
    """Show the accounts and addresses that use the queue. An address is the beginning of its keyed hash."""
    _show("users", Users, text.user_lines, as_json=as_json)


@command.command("dead-letters")
@_as_json
@_answers
def dead_letters(*, as_json: bool) -> None:
    """Show the jobs that failed, the newest first."""
    _show("dead-letters", DeadLetters, text.letter_lines, as_json=as_json)


@command.command("wrong-rows")
@_as_json
@_answers
def wrong_rows(*, as_json: bool) -> None:
    """Show the rows that students reported as read wrongly, the newest first."""
    _show("wrong-rows", WrongRows, text.wrong_row_lines, as_json=as_json)


@command.command("wrong-row-file")
@click.argument("report", type=click.UUID)
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@_answers
def wrong_row_file(report: UUID, output: Path) -> None:
    """Write the PDF of REPORT into the file OUTPUT, if the student agreed. Delete it when you have looked at it."""
    _, found = _client().ask(f"wrong-rows/{report}/file", ReportedFile)
    output.touch(mode=0o600)
    output.write_bytes(found.pdf)
    click.echo(f"Written: {output}")


@command.command()
@_prometheus
@click.option("--minutes", type=click.IntRange(1, 1440), default=5, show_default=True, help="How far to look back.")
@_as_json
@_answers
def slow(*, prometheus: str, minutes: int, as_json: bool) -> None:
    """Show the slowest instances, routes and statements."""
    _, statements = _client().ask("statements", Statements)
    # Without Consul the scheduler was named by hand, and so must Prometheus be.
    by_hand = bool(_scheduler().address) and not prometheus
    measured = None if by_hand else prometheus_client(os.environ, prometheus)
    found = Slow(
        instances=_latencies(measured, "alloc", minutes) if measured else None,
        routes=_latencies(measured, "route", minutes) if measured else None,
        statements=statements,
    )
    _print(found, _slow_lines(found, minutes), as_json=as_json)


@command.command()
@_prometheus
@click.option(
    "--hours", type=click.FloatRange(0.1, 24 * 35), default=24, show_default=True, help="How far to look back."
)
@click.option(
    "--dashboards",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("monitoring/dashboards"),
    show_default=True,
    help="The folder of the dashboards whose panels are drawn.",
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True
)
@_answers
def report(*, prometheus: str, hours: float, folder: Path, output: Path) -> None:
    """Write the last hours as one page: the dashboards' panels, the queue, failures by cause, releases and backups."""
    try:
        # Slow to import, and only this command needs it.
        from upschedule.deploy.service_report.page import build  # noqa: PLC0415
    except ModuleNotFoundError as error:
        fail(
            os.EX_UNAVAILABLE,
            f"{error.name} is missing: install the dependency group `report`, for example by `uv sync --group report`.",
        )
    shown = dashboards(folder)
    measured = prometheus_client(os.environ, prometheus)
    if measured is None:
        raise NothingFound("Consul names no healthy Prometheus; name it with --prometheus.")
    page = build(measured, shown, _report_contents(hours), hours=hours)
    output.write_text(page, encoding="utf-8")
    click.echo(f"Written: {output}")


@command.command()
@click.argument("jobs", metavar="JOB...", type=click.UUID, nargs=-1, required=True)
@_change_options
@_answers
def retry(jobs: Sequence[UUID], *, operator: str, reason: str, as_json: bool) -> None:
    """Queue each failed JOB again, beyond the bound of the queue; the first refusal ends the command."""
    for job in jobs:
        _change(f"jobs/{job}/retry", operator, reason, as_json=as_json)


@command.command()
@click.argument("jobs", metavar="JOB...", type=click.UUID, nargs=-1, required=True)
@_change_options
@_answers
def cancel(jobs: Sequence[UUID], *, operator: str, reason: str, as_json: bool) -> None:
    """End each JOB that waits or is read, as failed; the first refusal ends the command. Owners may try again."""
    for job in jobs:
        _change(f"jobs/{job}/cancel", operator, reason, as_json=as_json)


@command.command()
@_change_options
@_answers
def pause(*, operator: str, reason: str, as_json: bool) -> None:
    """Let workers take no new job. Uploads are accepted up to the bound of the queue."""
    _change("queue/pause", operator, reason, as_json=as_json)


@command.command()
@_change_options
@_answers
def resume(*, operator: str, reason: str, as_json: bool) -> None:
    """Let workers take jobs again."""
    _change("queue/resume", operator, reason, as_json=as_json)


@command.command()
@click.argument("account", type=click.UUID)
@_change_options
@_answers
def exempt(account: UUID, *, operator: str, reason: str, as_json: bool) -> None:
    """Lift the limits of ACCOUNT, and keep its jobs out of the figures of the queue: for the synthetic student."""
    _change(f"accounts/{account}/exempt", operator, reason, as_json=as_json)


@command.command("end-exemption")
@click.argument("account", type=click.UUID)
@_change_options
@_answers
def end_exemption(account: UUID, *, operator: str, reason: str, as_json: bool) -> None:
    """Give an exempt ACCOUNT its limits back."""
    _change(f"accounts/{account}/end-exemption", operator, reason, as_json=as_json)


@command.command("set-year")
@click.argument("year", type=click.IntRange(2000, 2100))
@click.argument("file", type=click.File("rb"))
@_answers
def set_year(year: int, file: BinaryIO) -> None:
    """Give the dates of the academic YEAR, JSON in FILE (- is standard input), to every calendar and feed.

    Writes the key of Consul from which the API takes them, once they are checked; docs/live-settings.md describes them.
    """
    key, value = f"{YEARS_PREFIX}{year}", file.read()
    try:
        read_key(key, value)
    except ValueRefused as error:
        fail(os.EX_DATAERR, f"{year}: {error}")
    key_writer_from(os.environ).write(key, value)
    click.echo(f"The dates of {year} are written. Calendars and feeds follow within a minute.")


def _scheduler() -> _Scheduler:
    return click.get_current_context().find_object(_Scheduler) or _Scheduler(address="", token="")


def _client() -> OperatorClient:
    return operator_client(os.environ, address=_scheduler().address, token=_scheduler().token)


def _show(path: str, kind: type[T], lines: Callable[[T], Iterable[str]], *, as_json: bool) -> None:
    data, answer = _client().ask(path, kind)
    click.echo(data.decode() if as_json else "\n".join(lines(answer)))


def _change(path: str, operator: str, reason: str, *, as_json: bool) -> None:
    client = _client()
    data, changed = client.change(path, Changed, operator=operator, reason=reason[:_REASON_CHARACTERS])
    click.echo(data.decode() if as_json else text.change_line(changed))


def _print(answer: msgspec.Struct, lines: Iterable[str], *, as_json: bool) -> None:
    click.echo(msgspec.json.encode(answer).decode() if as_json else "\n".join(lines))


def _report_contents(hours: float) -> Contents:
    """The contents from a scheduler. If none answers, the report says so and shows only what Prometheus has."""
    try:
        client = _client()
        _, status = client.ask("status", ServiceStatus)
        _, dead = client.ask("dead-letters", DeadLetters)
    except DeployError as error:
        return Contents(status=f"No scheduler answered: {error}", failures=None)
    since = status.asked_at - timedelta(hours=hours)
    letters = [letter for letter in dead.letters if letter.failed_at >= since]
    last = {letter.code: letter.failed_at for letter in reversed(letters)}
    counts = Counter(letter.code for letter in letters)
    failures = [
        FailedDocuments(code=code, count=count, last=text.time_of(last[code])) for code, count in counts.most_common()
    ]
    return Contents(status="\n".join(text.status_lines(status)), failures=failures, failures_left_out=dead.left_out)


def _latencies(prometheus: Prometheus, label: str, minutes: int) -> tuple[Latency, ...]:
    """The slowest first. A series without requests in that time has no number, and is left out."""
    seconds = prometheus.samples(
        f"histogram_quantile(0.95, sum by ({label}, le) "
        f"(rate(upschedule_http_request_seconds_bucket{{{_NO_PAGES}}}[{minutes}m])))"
    )
    rates = prometheus.samples(
        f"sum by ({label}) (rate(upschedule_http_request_seconds_count{{{_NO_PAGES}}}[{minutes}m]))"
    )
    per_second = {each.metric.get(label, ""): float(each.value[1]) for each in rates}
    found = [
        Latency(name=name, p95_seconds=float(each.value[1]), requests_per_second=per_second.get(name, 0.0))
        for each in seconds
        if not math.isnan(float(each.value[1])) and (name := each.metric.get(label, ""))
    ]
    return tuple(sorted(found, key=lambda each: -each.p95_seconds)[:_SLOWEST])


def _slow_lines(found: Slow, minutes: int) -> Iterable[str]:
    for name, latencies in (("instances", found.instances), ("routes", found.routes)):
        if latencies is None:
            yield f"{name}: no Prometheus was found; name it with --prometheus"
            continue
        yield f"{name}, the slowest first, in the last {minutes} min:"
        yield from text.table(
            (name.removesuffix("s"), "95 % within s", "requests per s"),
            [(each.name, f"{each.p95_seconds:.3f}", f"{each.requests_per_second:.2f}") for each in latencies],
        )
    yield from text.statement_lines(found.statements)
