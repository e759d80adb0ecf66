"""Starts a long-running process: loads its settings and configures its logs."""

import os

from upschedule import logging
from upschedule.cli.failing import fail
from upschedule.settings import Settings
from upschedule.settings.loading import SettingsError, load


def configured(process: str) -> Settings:
    """The settings, with logs under this name. Exits with 78 (EX_CONFIG) and a line for each setting that is wrong."""
    try:
        settings = load(os.environ, process=process)
    except SettingsError as error:
        fail(os.EX_CONFIG, error)
    logging.configure(level=settings.log.level, process=process)
    return settings
