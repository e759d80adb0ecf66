"""The page: everything a visitor has, at one address."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from litestar import Controller, Response, get

from upschedule.accounts.service import Visitor
from upschedule.processing.errors import JobNotFound, NotCompleted
from upschedule.processing.job import JobStatus, Status
from upschedule.processing.service import JobService
from upschedule.timetable.event import Extraction
from upschedule.web.pages import faults
from upschedule.web.pages.documents import documents
from upschedule.web.pages.rendering import page

#: More documents than anybody has; a list that pages is for the API.
_DOCUMENTS_MAX = 50


class HomeController(Controller):
    """Safe to reload: a GET makes nothing."""

    path = "/"
    include_in_schema = False
    exception_handlers = faults.handlers()

    @get()
    async def home(self, visitor: Visitor | None, jobs: JobService) -> Response[str]:
        """Empty for somebody who has made nothing yet."""
        if visitor is None:
            return page("index.html", documents=documents((), {}), schedule=None)
        recent = (await jobs.recent(visitor.account_id, cursor=None, limit=_DOCUMENTS_MAX)).jobs
        read = await _read(jobs, visitor.account_id, recent)
        return page("index.html", documents=documents(recent, read), schedule=None)


async def _read(jobs: JobService, account_id: UUID, recent: Sequence[JobStatus]) -> Mapping[UUID, Extraction]:
    """What each completed job says; one that was deleted meanwhile is left out."""
    found: dict[UUID, Extraction] = {}
    for job in recent:
        if job.status is Status.COMPLETED:
            try:
                found[job.id] = await jobs.timetable(account_id, job.id)
            except (JobNotFound, NotCompleted):
                continue
    return found
