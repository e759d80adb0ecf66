"""All groups of settings together."""

import msgspec

from upschedule.settings.background import RolloutSettings, SchedulerSettings
from upschedule.settings.servers import ConsulSettings, LogSettings, ObjectSettings, PostgresSettings, RedisSettings
from upschedule.settings.serving import CalendarSettings, LimitSettings, MailSettings, MaintenanceSettings, WebSettings
from upschedule.settings.work import JobSettings, UploadSettings, WorkerSettings


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All groups. A part of the program takes the group that it works with, or all of them."""

    postgres: PostgresSettings
    redis: RedisSettings
    objects: ObjectSettings
    uploads: UploadSettings = UploadSettings()
    jobs: JobSettings = JobSettings()
    limits: LimitSettings = LimitSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    web: WebSettings
    mail: MailSettings = MailSettings()
    worker: WorkerSettings = WorkerSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    rollout: RolloutSettings = RolloutSettings()
    calendars: CalendarSettings = CalendarSettings()
    consul: ConsulSettings = ConsulSettings()
    log: LogSettings = LogSettings()
