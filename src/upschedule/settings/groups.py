"""All groups of settings together."""

import msgspec

from upschedule.settings.background import RolloutSettings, SchedulerSettings
from upschedule.settings.servers import ConsulSettings, LogSettings, ObjectSettings, PostgresSettings, RedisSettings
from upschedule.settings.serving import CalendarSettings, LimitSettings, MaintenanceSettings, WebSettings
from upschedule.settings.work import JobSettings, UploadSettings, WorkerSettings


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All groups. Handed to the composition root, which hands on the few values that each part needs."""

    postgres: PostgresSettings
    redis: RedisSettings
    objects: ObjectSettings
    uploads: UploadSettings = UploadSettings()
    jobs: JobSettings = JobSettings()
    limits: LimitSettings = LimitSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    web: WebSettings
    worker: WorkerSettings = WorkerSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    rollout: RolloutSettings = RolloutSettings()
    calendars: CalendarSettings = CalendarSettings()
    consul: ConsulSettings = ConsulSettings()
    log: LogSettings = LogSettings()
