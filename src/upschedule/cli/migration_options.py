"""Options that all commands with migrations share."""

import click

from upschedule.operations.migration.migrate import MigrationPolicy
from upschedule.settings.urls import url_problem

blocking_seconds = click.option(
    "--blocking-seconds",
    envvar="UPSCHEDULE_MIGRATION_BLOCKING_SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=MigrationPolicy.blocking_seconds_max,
    show_default=True,
    help="A migration that keeps others from a table for longer is cancelled.",
)


def database_url(name: str, url: str) -> str:
    """The URL itself. Raises click.UsageError, which names the variable `name`, where it cannot be used."""
    if problem := url_problem("postgresql", url):
        raise click.UsageError(f"{name} {problem}.")
    return url
