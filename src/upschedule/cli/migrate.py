"""`upschedule migrate`: bring the database to this release's schema."""

from pathlib import Path

import click
import msgspec
import psycopg

from upschedule.cli import migration_options
from upschedule.cli.failing import fail
from upschedule.operations.migration.errors import MigrationError
from upschedule.operations.migration.files import read_migrations
from upschedule.operations.migration.migrate import MigrationPolicy, MigrationReport, Timing, migrate
from upschedule.operations.privileges.errors import RoleMissing

_UNREACHABLE, _REFUSED = 3, 4


@click.command(name="migrate")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("migrations"),
    show_default=True,
    help="Where the SQL files are.",
)
@click.option("--application-role", default="upschedule_app", show_default=True, help="The role that gets the grants.")
@migration_options.blocking_seconds
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--owner-url",
    envvar="UPSCHEDULE_POSTGRES_OWNER_URL",
    required=True,
    help="Connection string of the role that owns the tables; give it as UPSCHEDULE_POSTGRES_OWNER_URL.",
)
def command(directory: Path, application_role: str, owner_url: str, *, blocking_seconds: float, as_json: bool) -> None:
    """Apply the migrations that the database lacks; safe to run any number of times, and at once.

    Exit codes: 3 when the database cannot be reached, 4 when the migrations are refused or fail.
    """
    try:
        report = migrate(
            migration_options.database_url("UPSCHEDULE_POSTGRES_OWNER_URL", owner_url),
            read_migrations(directory),
            application_role=application_role,
            policy=MigrationPolicy(blocking_seconds_max=blocking_seconds),
            timing=Timing(),
        )
    except psycopg.OperationalError as error:
        fail(_UNREACHABLE, f"The database cannot be reached: {error}")
    except (MigrationError, RoleMissing) as error:
        fail(_REFUSED, error)
    else:
        click.echo(msgspec.json.encode(report).decode() if as_json else _sentence(report))


def _sentence(report: MigrationReport) -> str:
    applied = ", ".join(report.applied) or "nothing to do"
    return f"Applied: {applied}. Present before: {len(report.present)}. By newer releases: {len(report.ahead)}."
