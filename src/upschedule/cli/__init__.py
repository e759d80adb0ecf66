"""The command line: `upschedule COMMAND`. Each command is a module of this package, imported when it is asked for."""

import importlib

import click

COMMANDS = (
    "backup",
    "capacity",
    "deploy",
    "extract",
    "local",
    "migrate",
    "ops",
    "prepare",
    "release",
    "restore",
    "schedule",
    "serve",
    "settings",
    "synthetic",
    "work",
)


class LazyGroup(click.Group):
    """Imports a command's module on use, so that `upschedule extract` does not pay for the web framework."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, in alphabetical order; imports nothing."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """None for an unknown name, which click turns into its usage error."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command


@click.group(cls=LazyGroup)
@click.version_option(package_name="upschedule")
def main() -> None:
    """Turn schedule PDFs of the University of Pretoria into calendars."""
