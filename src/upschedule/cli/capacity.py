"""`upschedule capacity`: how many instances, connections and cores a number of students needs."""

import click
import msgspec

from upschedule.settings.serving import LimitSettings
from upschedule.settings.work import WorkerSettings
from upschedule.sizing.costs import load
from upschedule.sizing.model import Bounds, Load, Sizing, size

_LIMITS, _WORKER = LimitSettings(), WorkerSettings()
_MEGABYTE = 1024**2


@click.command("capacity")
@click.option("--students", type=click.IntRange(1, 100_000_000), required=True, help="Visitors, one document each.")
@click.option(
    "--minutes", type=click.FloatRange(1, 60 * 24 * 7), default=60.0, show_default=True,
    help="Time within which they come.",
)  # fmt: skip
@click.option(
    "--peak", type=click.FloatRange(1, 100), default=2.0, show_default=True,
    help="Visits of the busiest minute, as a multiple of the average.",
)  # fmt: skip
@click.option(
    "--visit-seconds", type=click.FloatRange(1, 3600), default=120.0, show_default=True,
    help="How long a student stays.",
)  # fmt: skip
@click.option(
    "--utilisation", type=click.FloatRange(0.05, 0.95), default=0.6, show_default=True,
    help="Part of each instance's cores that is planned for.",
)  # fmt: skip
@click.option(
    "--wait-seconds", type=click.FloatRange(0.1, 3600), default=5.0, show_default=True,
    help="95 % of the documents wait at most so long for a worker.",
)  # fmt: skip
@click.option(
    "--requests-per-second", type=click.IntRange(1), default=_LIMITS.requests_per_second, show_default=True,
    help="The limit of all clients together (R5.4).",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of a table.")
def command(
    *,
    students: int,
    minutes: float,
    peak: float,
    visit_seconds: float,
    utilisation: float,
    wait_seconds: float,
    requests_per_second: int,
    as_json: bool,
) -> None:
    """Say what a number of students needs, from the costs of a visit that `nox -s load_capacity` has measured.

    Exit codes: 0 the service can be scaled to it, 1 a limit of the service is lower, and the last lines name it.
    """
    bounds = Bounds(
        utilisation=utilisation,
        wait_seconds=wait_seconds,
        worker_places=_WORKER.concurrency,
        requests_per_second_max=requests_per_second,
    )
    expected = Load(students=students, minutes=minutes, peak=peak, visit_seconds=visit_seconds)
    sizing = size(expected, load(), bounds)
    click.echo(msgspec.json.encode(sizing).decode() if as_json else _table(sizing))
    raise click.exceptions.Exit(1 if sizing.exceeded else 0)


def _table(sizing: Sizing) -> str:
    rows = [
        ("visits a second, busiest minute", f"{sizing.visits_per_second:.1f}"),
        ("requests a second", f"{sizing.requests_per_second:.0f}"),
        ("students at the same time", f"{sizing.students_at_once:.0f}"),
        ("API instances", f"{sizing.api_instances}"),
        ("worker instances", f"{sizing.worker_instances}"),
        ("connections to PostgreSQL in use", f"{sizing.connections}"),
        ("memory of both Redis", f"{sizing.redis_bytes / _MEGABYTE:.0f} MB"),
        ("growth of the database", f"{sizing.database_bytes / _MEGABYTE:.0f} MB"),
        ("cores in use", f"{sum(sizing.cores.values()):.1f}"),
        *((f"  {part}", f"{cores:.2f}") for part, cores in sizing.cores.items()),
    ]
    lines = [f"{name:34}{value:>12}" for name, value in rows]
    return "\n".join([*lines, "", f"Measured: {load().measured}", *sizing.exceeded])
