"""What a process that stays does first."""

import os
from pathlib import Path

from upschedule import logging, settings
from upschedule.cli.failing import fail


def configured(process: str) -> settings.Settings:
    """The settings, with logs under this name. Exits with 78 (EX_CONFIG) and a line for each setting that is wrong."""
    try:
        chosen = settings.load(os.environ, process=process)
    except settings.SettingsError as error:
        fail(os.EX_CONFIG, error)
    logging.configure(level=chosen.log.level, process=process)
    return chosen


def rollout_state_file(chosen: settings.Settings) -> Path | None:
    """None: the process may take live work at once."""
    return Path(chosen.rollout.standing_file) if chosen.rollout.standing_file else None
