"""`upschedule backup`: the commands of one machine (docs/backup.md) and the cluster's (docs/cluster-backup.md)."""

import click

from upschedule.cli import cluster_backup, file_backup


@click.group(name="backup")
def command() -> None:
    """Make and verify backups, of one machine or of the cluster."""


for each in (*file_backup.COMMANDS, *cluster_backup.COMMANDS):
    command.add_command(each)
