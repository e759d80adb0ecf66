"""`upschedule backup`: the cluster's commands (docs/cluster-backup.md)."""

import click

from upschedule.cli import cluster_backup


@click.group(name="backup")
def command() -> None:
    """Make and verify backups."""


for each in cluster_backup.COMMANDS:
    command.add_command(each)
