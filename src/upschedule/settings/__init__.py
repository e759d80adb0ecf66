"""Every setting: its name, unit, default and reason. Read from the environment once, at start.

A field `wait_seconds` of the group `postgres` is the variable `UPSCHEDULE_POSTGRES_WAIT_SECONDS`. Limits name the
requirement that gives their default. `docs/settings.md` is written from these files.
"""

from upschedule.settings.groups import Settings
from upschedule.settings.loading import PREFIX, SettingField, SettingsError, fields, load

__all__ = ["PREFIX", "SettingField", "Settings", "SettingsError", "fields", "load"]
