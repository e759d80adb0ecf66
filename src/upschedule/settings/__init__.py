"""Every setting: its name, unit, default and reason. Any package may import these types.

`settings.loading` reads them from the environment, once, at start: a field `wait_seconds` of the group `postgres` is
the variable `UPSCHEDULE_POSTGRES_WAIT_SECONDS`. Limits name the requirement that gives their default.
`docs/settings.md` is written from these files.
"""

from upschedule.settings.background import RolloutSettings, SchedulerSettings
from upschedule.settings.groups import Settings
from upschedule.settings.servers import ConsulSettings, LogSettings, ObjectSettings, PostgresSettings, RedisSettings
from upschedule.settings.serving import (
    CalendarSettings,
    LimitSettings,
    MailSettings,
    MaintenanceSettings,
    WebSettings,
)
from upschedule.settings.work import JobSettings, UploadSettings, WorkerSettings

__all__ = [
    "CalendarSettings",
    "ConsulSettings",
    "JobSettings",
    "LimitSettings",
    "LogSettings",
    "MailSettings",
    "MaintenanceSettings",
    "ObjectSettings",
    "PostgresSettings",
    "RedisSettings",
    "RolloutSettings",
    "SchedulerSettings",
    "Settings",
    "UploadSettings",
    "WebSettings",
    "WorkerSettings",
]
