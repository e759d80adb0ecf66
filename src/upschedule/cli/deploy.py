"""`upschedule deploy`: how a release stands, its gate, its promotion, and the way back."""

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
from upschedule.deploy.cluster import Cluster
from upschedule.deploy.environment import cluster_of
from upschedule.deploy.errors import DeployError, ServerRefused, ServerUnreachable, Superseded
from upschedule.deploy.exits import ExitCode
from upschedule.deploy.findings import failures, table
from upschedule.deploy.gate import Gate, Limits
from upschedule.deploy.http import Endpoint
from upschedule.deploy.probe import Probe
from upschedule.deploy.probe.metrics import Bounds
from upschedule.deploy.prometheus import Prometheus
from upschedule.deploy.promote import Promotion
from upschedule.deploy.revert import Revert
from upschedule.deploy.status import await_well, exit_code, is_well, lines, report
from upschedule.deploy.watch import Follower
from upschedule.deploy.watch import watch as follow

P = ParamSpec("P")
_CODES: dict[type[DeployError], ExitCode] = {
    ServerUnreachable: ExitCode.UNREACHABLE,
    ServerRefused: ExitCode.UNREACHABLE,
    Superseded: ExitCode.SUPERSEDED,
}
_DEFAULTS = Limits()


def _ending(run: Callable[P, ExitCode]) -> Callable[P, None]:
    """Turns what a command came to into its exit code."""

    @functools.wraps(run)
    def ended(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = run(*args, **kwargs)
        except DeployError as error:
            click.echo(str(error), err=True)
            code = _CODES.get(type(error), ExitCode.UNREACHABLE)
        except KeyboardInterrupt:
            said = "Interrupted. The deployments stay as they are: look at `upschedule deploy status`."
            click.echo(said, err=True)
            code = ExitCode.INTERRUPTED
        sys.exit(code)

    return ended


def _entrance(run: Callable[P, None]) -> Callable[P, None]:
    """Options of the commands that ask the canary."""
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
            "--error-ratio-max", type=click.FloatRange(0, 1), default=Bounds().error_ratio_max, show_default=True
        ),
        click.option(
            "--p95-seconds-max", type=click.FloatRange(0), default=Bounds().p95_seconds_max, show_default=True
        ),
        click.option(
            "--wait-seconds",
            type=click.FloatRange(0),
            default=_DEFAULTS.canary_seconds,
            show_default=True,
            help="How long canaries may take to become healthy.",
        ),
    )
    return functools.reduce(lambda made, option: option(made), reversed(options), run)


@click.group(name="deploy")
def command() -> None:
    """Watch, gate, promote or revert a release.

    Reads NOMAD_ADDR, NOMAD_TOKEN, NOMAD_NAMESPACE, CONSUL_HTTP_ADDR and CONSUL_HTTP_TOKEN as Nomad's and Consul's own
    commands do. docs/releases.md lists the exit codes.
    """


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@click.option(
    "--wait-seconds",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Ask again until nothing is under way and all instances are well, which is then success in any case.",
)
@_ending
def status(*, as_json: bool, wait_seconds: float) -> ExitCode:
    """Show every job, its release, its instances and their checks."""
    cluster = _cluster()
    reports = await_well(cluster, seconds=wait_seconds) if wait_seconds else report(cluster)
    click.echo(msgspec.json.encode(reports).decode() if as_json else "\n".join(lines(reports)))
    return ExitCode.DONE if wait_seconds and is_well(reports) else exit_code(reports)


@command.command()
@click.option("--wait-seconds", type=click.FloatRange(0), default=3600.0, show_default=True)
@_ending
def watch(*, wait_seconds: float) -> ExitCode:
    """Say each change in words until nothing is under way, and why a release failed."""
    return follow(Follower(_cluster()), seconds=wait_seconds)


@command.command()
@_entrance
@_ending
def gate(**options: object) -> ExitCode:
    """Check the canaries of the release under way; change nothing."""
    verdict = _gate(options).run()
    if not verdict.findings:
        click.echo("No canary waits: there is nothing to check.")
        return ExitCode.NOTHING_TO_GATE
    for line in [*table(verdict.findings), *(f"Not ok: {each}" for each in failures(verdict.findings))]:
        click.echo(line)
    return ExitCode.DONE if verdict.passed else ExitCode.GATE_NOT_PASSED


@command.command()
@click.option("--gate/--no-gate", "gated", default=True, help="Whether the gate decides.")
@_entrance
@_ending
def promote(*, gated: bool, **options: object) -> ExitCode:
    """Gate, promote all jobs, follow, verify; go back at any failure."""
    return Promotion(gate=_gate(options)).run(gated=gated)


@command.command()
@click.option("--wait-seconds", type=click.FloatRange(0), default=_DEFAULTS.return_seconds, show_default=True)
@_ending
def revert(*, wait_seconds: float) -> ExitCode:
    """Fail what is under way; when nothing is, start the stable version before this one again."""
    cluster = _cluster()
    return Revert(cluster=cluster, follower=Follower(cluster), seconds=wait_seconds).run()


def _cluster() -> Cluster:
    return cluster_of(os.environ, clock=Clock(), say=_say)


def _gate(options: dict[str, object]) -> Gate:
    given = msgspec.convert(options, _Options)
    cluster = _cluster()
    site = Endpoint(name="The service", address=given.url, ca_file=str(given.ca_file) if given.ca_file else None)
    bounds = Bounds(error_ratio_max=given.error_ratio_max, p95_seconds_max=given.p95_seconds_max)
    limits = Limits(canary_seconds=given.wait_seconds, requests=given.requests, bounds=bounds)
    probe = Probe(
        site=site,
        prometheus=Prometheus(Endpoint(name="Prometheus", address=given.prometheus)),
        golden=golden.load(),
        clock=cluster.clock,
        golden_seconds=limits.golden_seconds,
    )
    return Gate(cluster=cluster, probe=probe, limits=limits, follower=Follower(cluster))


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    ca_file: Path | None
    prometheus: str
    requests: int
    error_ratio_max: float
    p95_seconds_max: float
    wait_seconds: float


def _say(line: str) -> None:
    click.echo(f"{dt.datetime.now(tz=dt.UTC).astimezone():%H:%M:%S} {line}")
