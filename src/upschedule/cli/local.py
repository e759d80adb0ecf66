"""`upschedule local`: runs the whole service on one machine, as `make run` does."""

import os
from pathlib import Path

import click

from upschedule.cli.backup_options import KEY_FILE_VARIABLE
from upschedule.cli.failing import fail
from upschedule.operations.embedded.errors import EmbeddedServerError
from upschedule.operations.local.preconditions import LocalStackRefused
from upschedule.operations.local.run import run
from upschedule.operations.local.supervisor import RestartLimitReached
from upschedule.operations.migration.errors import MigrationError
from upschedule.operations.privileges.errors import RoleMissing
from upschedule.settings.loading import PREFIX

_DATA = "UPSCHEDULE_DATA"
# Read by commands, not by the processes that this one starts.
_OWN = (_DATA, KEY_FILE_VARIABLE)


@click.command(name="local")
@click.option(
    "--data",
    envvar=_DATA,
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".data"),
    show_default=True,
    help="Databases, objects and logs; they stay when the service stops.",
)
@click.option("--port", envvar="PORT", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option(
    "--migrations",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("migrations"),
    show_default=True,
)
def command(data: Path, port: int, migrations: Path) -> None:
    """Run the whole service on this machine until Ctrl-C: all servers, an API, two workers and a scheduler.

    Settings in the environment reach the application's processes.
    """
    environment = {name: value for name, value in os.environ.items() if name.startswith(PREFIX) and name not in _OWN}
    try:
        run(data, port=port, migrations=migrations, environment=environment, report=click.echo)
    except (LocalStackRefused, EmbeddedServerError, MigrationError, RoleMissing, RestartLimitReached) as error:
        fail(1, error)
