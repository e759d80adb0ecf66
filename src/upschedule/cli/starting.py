"""What a process that stays does first."""

import os
import sys

import click

from upschedule import logging, settings


def configured(process: str) -> settings.Settings:
    """The settings, with logs under this name. Exits with 78 (EX_CONFIG) and a line for each setting that is wrong."""
    try:
        chosen = settings.load(os.environ)
    except settings.SettingsError as error:
        click.echo(error, err=True)
        sys.exit(os.EX_CONFIG)
    logging.configure(level=chosen.log.level, process=process)
    return chosen
