"""What happens beside a row's change: the cached status is replaced and watchers are told, in this one place (R4.5)."""

from uuid import UUID

from upschedule.processing.job import Job
from upschedule.processing.status_cache import StatusCache
from upschedule.processing.status_events import Notices


class Publication:
    """Called after the commit, by whoever made the change. Never raises; what it could not do only delays."""

    def __init__(self, cache: StatusCache, notices: Notices) -> None:
        self._cache = cache
        self._notices = notices

    async def changed(self, job: Job) -> None:
        await self._cache.put(job)
        await self._notices.send(job.id)

    async def removed(self, job_id: UUID) -> None:
        await self._cache.forget(job_id)
        await self._notices.send(job_id)
