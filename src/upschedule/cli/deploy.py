"""`upschedule deploy`: status, watch, gate, promotion and rollback of a release."""

import dataclasses
import datetime as dt
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import click
import msgspec

from upschedule import golden
from upschedule.deploy.clock import Clock
from upschedule.deploy.comparison.documents import DocumentLimits
from upschedule.deploy.comparison.rules import ComparisonLimits
from upschedule.deploy.consul import NoConsul
from upschedule.deploy.environment import (
    API,
    RECORDS_MAX,
    RECORDS_MAX_VARIABLE,
    SILENCE_SECONDS,
    WORKER,
    Cluster,
    cluster_from,
    nomad_from,
)
from upschedule.deploy.errors import DeployError, ExitCode
from upschedule.deploy.findings import failures, table
from upschedule.deploy.gate import GateLimits, ReleaseContext, run_gate
from upschedule.deploy.http import Endpoint
from upschedule.deploy.nomad import NomadWithoutLogs
from upschedule.deploy.probe import Probe
from upschedule.deploy.probe.metrics import MetricBounds, Prometheus
from upschedule.deploy.promote import Promotion
from upschedule.deploy.recording import record_release
from upschedule.deploy.records.recorder import RECORDS_MIN
from upschedule.deploy.rollback import revert as revert_release
from upschedule.deploy.rollout_state import Phase
from upschedule.deploy.share import remove_shares
from upschedule.deploy.share_status import document_share_report, share_report
from upschedule.deploy.shared_traffic import ShareLimits
from upschedule.deploy.status import JobReport, await_complete, exit_code, job_reports, lines, waited_exit_code
from upschedule.deploy.supervision.decisions import accept as accept_release
from upschedule.deploy.supervision.decisions import lines as watch_lines
from upschedule.deploy.supervision.decisions import watch_report
from upschedule.deploy.supervision.limits import WatchLimits
from upschedule.deploy.supervision.own_job import OwnJob
from upschedule.deploy.supervision.process import supervise as run_supervisor
from upschedule.deploy.supervision.supervisor import Supervisor
from upschedule.deploy.watch import Watcher
from upschedule.deploy.watch import watch as watch_release

P = ParamSpec("P")
_DEFAULTS = GateLimits()
# A proxy may answer with a whole page.
_ERROR_CHARACTERS = 1_000
_ALL_PERCENT = 100
_NO_SHARE = "none"


def _exits(run: Callable[P, ExitCode]) -> Callable[P, None]:
    """Ends the process with the exit code that the command returns, or that belongs to its error."""

    @functools.wraps(run)
    def command_with_exit(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = run(*args, **kwargs)
        except DeployError as error:
            click.echo(str(error)[:_ERROR_CHARACTERS], err=True)
            code = error.exit_code
        except KeyboardInterrupt:
            text = "Interrupted. The deployments stay as they are: look at `upschedule deploy status`."
            click.echo(text, err=True)
            code = ExitCode.INTERRUPTED
        sys.exit(code)

    return command_with_exit


def _numbers(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    """Whole per cents, separated by commas, or a word for none: an empty environment variable would count as unset."""
    if text == _NO_SHARE:
        return ()
    try:
        found = tuple(int(word) for word in text.split(","))
    except ValueError:
        found = (0,)
    if not all(0 < each < _ALL_PERCENT for each in found):
        raise click.BadParameter(f"whole numbers from 1 to 99, separated by commas, or `{_NO_SHARE}`")
    return found


def _share_options(run: Callable[P, None]) -> Callable[P, None]:
    """Adds the options of the commands that give the canaries shares of live work."""
    share, comparison, documents = _DEFAULTS.share, _DEFAULTS.share.comparison, _DEFAULTS.share.documents
    number, ratio = click.FloatRange(0, min_open=True), click.FloatRange(0, 1, min_open=True)
    options = (
        click.option(
            "--shares",
            envvar="UPSCHEDULE_DEPLOY_SHARES",
            default=",".join(map(str, share.percents)),
            show_default=True,
            callback=_numbers,
            help="Per cents of the visitors and documents that the canaries get, one after the other, or `none`.",
        ),
        *(
            click.option(
                f"--{name.replace('_', '-')}",
                envvar=f"UPSCHEDULE_DEPLOY_{name.upper()}",
                type=kind,
                default=default,
                show_default=True,
                help=text,
            )
            for name, kind, default, text in (
                ("share_step_seconds", number, share.step_seconds, "Shortest time of each share."),
                ("share_last_seconds", number, share.last_seconds, "Longest time of the last one."),
                (
                    "synthetic_per_second",
                    number,
                    share.synthetic_per_second,
                    "Requests of the gate's own, where needed.",
                ),
                ("faults_more_max", ratio, comparison.faults_more_max, "How much more often the canary may fail."),
                ("slower_more_max", ratio, comparison.slower_more_max, "How much more often it may be slow."),
                (
                    "documents_more_max",
                    ratio,
                    documents.more_max,
                    "How much more often the canary may refuse documents, warn, or find few events.",
                ),
                ("documents_min", click.IntRange(0), documents.documents_min, "With fewer read, it is not sure."),
                ("false_alarm_max", ratio, comparison.false_alarm_max, "Chance that an equally good one is refused."),
                ("confidence", ratio, comparison.confidence, "With which a canary is called not worse."),
            )
        ),
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), run)


def _probe_options(run: Callable[P, None]) -> Callable[P, None]:
    """Adds the options of the commands that send requests to the service."""
    options = (
        click.option("--url", envvar="UPSCHEDULE_DEPLOY_URL", required=True, help="Public address of the service."),
        click.option(
            "--ca-file",
            envvar="UPSCHEDULE_DEPLOY_CA_FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Certificate authority of that address, where it is not a public one.",
        ),
        click.option(
            "--prometheus", envvar="UPSCHEDULE_DEPLOY_PROMETHEUS", required=True, help="Address of Prometheus."
        ),
        click.option("--requests", type=click.IntRange(2, 1000), default=_DEFAULTS.requests, show_default=True),
        click.option(
            "--error-ratio-max", type=click.FloatRange(0, 1), default=MetricBounds().error_ratio_max, show_default=True
        ),
        click.option(
            "--p95-seconds-max", type=click.FloatRange(0), default=MetricBounds().p95_seconds_max, show_default=True
        ),
        click.option(
            "--wait-seconds",
            type=click.FloatRange(0),
            default=_DEFAULTS.canary_seconds,
            show_default=True,
            help="How long canaries may take to become healthy.",
        ),
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), run)


@click.group(name="deploy")
@click.option(
    "--records-max",
    envvar=RECORDS_MAX_VARIABLE,
    type=click.IntRange(RECORDS_MIN),
    default=RECORDS_MAX,
    show_default=True,
    help="How many records of releases are kept.",
)
@click.option(
    "--silence-seconds",
    envvar="UPSCHEDULE_DEPLOY_SILENCE_SECONDS",
    type=click.FloatRange(0),
    default=SILENCE_SECONDS,
    show_default=True,
    help="How long a command that has begun waits for a server that does not answer.",
)
@click.pass_context
def command(context: click.Context, *, records_max: int, silence_seconds: float) -> None:
    """Watch, gate, promote or revert a release.

    Reads NOMAD_ADDR, NOMAD_TOKEN, NOMAD_NAMESPACE, CONSUL_HTTP_ADDR and CONSUL_HTTP_TOKEN as Nomad's and Consul's own
    commands do. docs/releases.md lists the exit codes.
    """
    context.obj = functools.partial(
        cluster_from, os.environ, clock=Clock(), records_max=records_max, silence_seconds=silence_seconds
    )


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@click.option(
    "--wait-seconds",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Ask again until nothing is under way and all instances are there and well, which is then success.",
)
@click.option(
    "--prometheus",
    envvar="UPSCHEDULE_DEPLOY_PROMETHEUS",
    default="",
    help="Address of Prometheus, for the comparison while the canaries have shares.",
)
@_exits
def status(*, as_json: bool, wait_seconds: float, prometheus: str) -> ExitCode:
    """Show every job, its release, its instances and their checks."""
    cluster = _cluster()
    reports = await_complete(cluster, seconds=wait_seconds) if wait_seconds else job_reports(cluster)
    if prometheus and any(each.phase is Phase.WAITING for each in reports):
        reports = _with_share(cluster, reports, _prometheus(prometheus))
    watched = watch_report(cluster)
    if watched:
        reports = [msgspec.structs.replace(each, watch=watched) if each.job == API else each for each in reports]
    text = [*lines(reports), *(watch_lines(watched) if watched else ())]
    click.echo(msgspec.json.encode(reports).decode() if as_json else "\n".join(text))
    record_release(_cluster(report=_print_to_stderr))
    return waited_exit_code(reports) if wait_seconds else exit_code(reports)


@command.command()
@click.option("--wait-seconds", type=click.FloatRange(0), default=3600.0, show_default=True)
@_exits
def watch(*, wait_seconds: float) -> ExitCode:
    """Say each change in words until nothing is under way, and why a release failed."""
    cluster = _cluster()
    code = watch_release(Watcher(cluster), seconds=wait_seconds)
    record_release(cluster)
    return code


@command.command()
@_probe_options
@_share_options
@_exits
def gate(**options: object) -> ExitCode:
    """Check the canaries of the release under way; change nothing but the canaries' shares, which end."""
    result = run_gate(_context(options))
    if not result.findings:
        click.echo("No canary waits: there is nothing to check.")
        return ExitCode.NOTHING_TO_GATE
    for line in [*table(result.findings), *(f"Not ok: {each}" for each in failures(result.findings))]:
        click.echo(line)
    if result.unsure:
        return ExitCode.NOT_SURE
    return ExitCode.DONE if result.passed else ExitCode.GATE_NOT_PASSED


@command.command()
@click.option("--gate/--no-gate", "gated", default=True, help="Whether the gate decides.")
@_probe_options
@_share_options
@_exits
def promote(*, gated: bool, **options: object) -> ExitCode:
    """Run the gate, promote all jobs, follow the roll-out and verify it; roll back at any failure."""
    context = _context(options)
    remove_shares(context.cluster.nomad, context.cluster.report)
    return Promotion(context=context).run(gated=gated)


@command.command()
@click.option("--wait-seconds", type=click.FloatRange(0), default=_DEFAULTS.return_seconds, show_default=True)
@_exits
def revert(*, wait_seconds: float) -> ExitCode:
    """Fail what is under way; when nothing is, start the release recorded before this one again."""
    cluster = _cluster()
    remove_shares(cluster.nomad, cluster.report)
    return revert_release(cluster, Watcher(cluster), seconds=wait_seconds)


@command.command()
@click.option("--reason", required=True, help="Why it stays; it is recorded.")
@_exits
def accept(*, reason: str) -> ExitCode:
    """End the watch of the promoted release: it stays, even with bad figures."""
    return accept_release(_cluster(), reason, now=_now())


def _watch_options(run: Callable[P, None]) -> Callable[P, None]:
    """Adds the limits of the watch after a promotion."""
    limits = WatchLimits()
    number, ratio = click.FloatRange(0, min_open=True), click.FloatRange(0, 1, min_open=True)
    options = (
        click.option(
            f"--{name.replace('_', '-')}",
            envvar=f"UPSCHEDULE_WATCH_{name.upper()}",
            type=kind,
            default=getattr(limits, name),
            show_default=True,
            help=text,
        )
        for name, kind, text in (
            ("seconds", number, "How long a promoted release is watched."),
            ("baseline_seconds", number, "The time before the promotion that it is compared with."),
            ("slice_seconds", number, "Length of one slice of the figures."),
            ("restarts_max", click.IntRange(0), "Tolerable failures of tasks of its instances."),
            ("faults_max", ratio, "Largest ratio of faults of a route."),
            ("faults_more_max", ratio, "How much it may exceed that of the release before."),
            ("slower_max", ratio, "Largest ratio of slow requests of a route."),
            ("slower_more_max", ratio, "How much it may exceed that of the release before."),
            ("false_alarm_max", ratio, "Chance that an equally good release is called worse."),
        )
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(list(options)), run)


@command.command()
@click.option("--prometheus", envvar="UPSCHEDULE_DEPLOY_PROMETHEUS", required=True, help="Address of Prometheus.")
@click.option("--host", envvar="UPSCHEDULE_WATCH_HOST", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="UPSCHEDULE_WATCH_PORT", type=click.IntRange(0, 65535), default=0, show_default=True)
@_watch_options
@_exits
def supervise(*, prometheus: str, host: str, port: int, **options: object) -> ExitCode:
    """Watch each promoted release, and revert a bad one. A job of the cluster; it ends when it is stopped.

    In a job of Nomad, NOMAD_JOB_ID and NOMAD_ALLOC_ID name what this process is; it needs no Consul.
    """
    nomad = nomad_from(os.environ, NomadWithoutLogs)
    cluster = dataclasses.replace(_cluster(), nomad=nomad, consul=NoConsul())
    job, allocation = os.environ.get("NOMAD_JOB_ID"), os.environ.get("NOMAD_ALLOC_ID")
    own = OwnJob(cluster.nomad, job=job, allocation=allocation, report=cluster.report) if job and allocation else None
    limits = msgspec.convert(options, WatchLimits)
    supervisor = Supervisor(cluster=cluster, prometheus=_prometheus(prometheus), limits=limits, own=own)
    run_supervisor(supervisor, host=host, port=port)
    return ExitCode.DONE


def _now() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)


def _with_share(cluster: Cluster, reports: list[JobReport], prometheus: Prometheus) -> list[JobReport]:
    """What cannot be read of the shares is said beside the report, which is complete without it."""
    try:
        share = share_report(cluster.nomad, prometheus)
        document_share = document_share_report(cluster.nomad, prometheus)
    except DeployError as error:
        click.echo(f"The canaries' shares: {error}"[:_ERROR_CHARACTERS], err=True)
        return reports
    shares = {API: {"share": share}, WORKER: {"document_share": document_share}}
    return [msgspec.structs.replace(each, **shares.get(each.job, {})) for each in reports]


def _prometheus(address: str) -> Prometheus:
    return Prometheus(Endpoint(name="Prometheus", address=address))


def _print_line(line: str) -> None:
    click.echo(f"{_now().astimezone():%H:%M:%S} {line}")


def _print_to_stderr(line: str) -> None:
    click.echo(line, err=True)


def _cluster(report: Callable[[str], None] = _print_line) -> Cluster:
    """Builds the cluster from the options of the command group."""
    make: Callable[..., Cluster] = click.get_current_context().obj
    return make(report=report)


def _context(values: dict[str, object]) -> ReleaseContext:
    options = msgspec.convert(values, _Options)
    cluster = _cluster()
    site = Endpoint(name="The service", address=options.url, ca_file=str(options.ca_file) if options.ca_file else None)
    bounds = MetricBounds(error_ratio_max=options.error_ratio_max, p95_seconds_max=options.p95_seconds_max)
    limits = GateLimits(
        canary_seconds=options.wait_seconds, requests=options.requests, bounds=bounds, share=_share_limits(options)
    )
    probe = Probe(
        site=site,
        prometheus=_prometheus(options.prometheus),
        golden=golden.load(),
        clock=cluster.clock,
        golden_seconds=limits.golden_seconds,
        silence_seconds=cluster.silence_seconds,
        report=cluster.report,
    )
    return ReleaseContext(cluster=cluster, probe=probe, limits=limits, watcher=Watcher(cluster))


def _share_limits(options: "_Options") -> ShareLimits:
    return ShareLimits(
        percents=options.shares,
        step_seconds=options.share_step_seconds,
        last_seconds=options.share_last_seconds,
        synthetic_per_second=options.synthetic_per_second,
        comparison=ComparisonLimits(
            faults_more_max=options.faults_more_max,
            slower_more_max=options.slower_more_max,
            false_alarm_max=options.false_alarm_max,
            confidence=options.confidence,
        ),
        documents=DocumentLimits(
            more_max=options.documents_more_max,
            documents_min=options.documents_min,
            false_alarm_max=options.false_alarm_max,
            confidence=options.confidence,
        ),
    )


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    ca_file: Path | None
    prometheus: str
    requests: int
    error_ratio_max: float
    p95_seconds_max: float
    wait_seconds: float
    shares: tuple[int, ...]
    share_step_seconds: float
    share_last_seconds: float
    synthetic_per_second: float
    faults_more_max: float
    slower_more_max: float
    documents_more_max: float
    documents_min: int
    false_alarm_max: float
    confidence: float
