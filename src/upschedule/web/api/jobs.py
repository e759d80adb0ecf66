"""Jobs: their status, their results, retries and deletion."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from upschedule.accounts.service import Visitor
from upschedule.processing.errors import (
    FileGone,
    JobNotFound,
    NotCompleted,
    NotFailed,
    NothingToRetry,
    QueueFull,
    ReadingTimeUsedUp,
)
from upschedule.processing.service import JobService
from upschedule.settings import Settings
from upschedule.timetable.event import Extraction
from upschedule.web.api.job_schemas import (
    JOBS_PATH,
    JobList,
    JobView,
    decode_cursor,
    list_view,
    location,
    view,
)
from upschedule.web.http import streams as sse
from upschedule.web.http.dependencies import WebContext
from upschedule.web.http.entity_tags import entity_tag, matches
from upschedule.web.http.errors import ServerBusy
from upschedule.web.http.exchange import exchange_of
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import UNCHANGED
from upschedule.web.http.problems import problems
from upschedule.web.http.rate_limits import RateLimits
from upschedule.web.http.streams import Streams
from upschedule.web.http.uploads import UploadReceiver

_REVALIDATED = {"Cache-Control": "private, no-cache"}
_STATUS = ResponseSpec(JobView, description="How far the job is.", generate_examples=False)
_EVENTS = ResponseSpec(
    str,
    description="Events named `status`, each with the job as its data; the last one is final.",
    media_type=sse.MEDIA_TYPE,
    generate_examples=False,
)


class JobController(Controller):
    """The job of another owner is answered with 404."""

    path = JOBS_PATH
    tags = ("jobs",)

    @get(operation_id="ListJobs", summary="Your jobs, newest first", responses=problems())
    async def recent(
        self,
        *,
        request: AnyRequest,
        visitor: Visitor | None,
        job_service: JobService,
        rate_limits: RateLimits,
        cursor: str | None = None,
        limit: Annotated[int, Parameter(ge=1, le=100)] = 50,
    ) -> JobList:
        """A visitor who has uploaded nothing has an empty list."""
        if visitor is None:
            return JobList(jobs=(), next=None)
        await rate_limits.status(request, visitor.account_id)
        after = decode_cursor(cursor) if cursor else None
        return list_view(await job_service.recent(visitor.account_id, cursor=after, limit=limit), limit=limit)

    @get(
        "/{job_id:uuid}",
        operation_id="GetJob",
        summary="A job's status",
        responses={200: _STATUS, 304: UNCHANGED, **problems(JobNotFound)},
    )
    async def status(
        self,
        request: AnyRequest,
        job_id: UUID,
        visitor: Visitor | None,
        context: WebContext,
    ) -> Response[JobView | None]:
        """With `If-None-Match` the answer is 304 while nothing that is shown has changed."""
        owner = _owner(request, job_id, visitor)
        await context.rate_limits.status(request, owner)
        shown = view(await context.job_service.status(owner, job_id))
        tag = entity_tag(shown)
        headers = {"ETag": tag, **_REVALIDATED}
        if matches(request.headers.get("if-none-match"), tag):
            return Response(None, status_code=304, headers=headers)
        return Response(shown, headers=headers)

    @get(
        "/{job_id:uuid}/stream",
        operation_id="StreamJob",
        summary="A job's status, pushed",
        responses={200: _EVENTS, **problems(JobNotFound, ServerBusy)},
    )
    async def stream(
        self,
        *,
        request: AnyRequest,
        job_id: UUID,
        visitor: Visitor | None,
        job_service: JobService,
        rate_limits: RateLimits,
        streams: Streams,
        settings: Settings,
    ) -> Stream:
        """Begins with the current state, so a client that reconnects with `Last-Event-ID` misses nothing."""
        owner = _owner(request, job_id, visitor)
        await rate_limits.status(request, owner)
        events = await streams.open(owner, job_service.watch(owner, job_id), view, limits=settings.limits)
        return Stream(events, media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)

    @get(
        "/{job_id:uuid}/timetable",
        operation_id="GetTimetable",
        summary="What was read from the document",
        responses=problems(JobNotFound, NotCompleted),
    )
    async def timetable(
        self, request: AnyRequest, job_id: UUID, visitor: Visitor | None, context: WebContext
    ) -> Extraction:
        """The complete result; a partial one does not exist."""
        return await context.job_service.timetable(_owner(request, job_id, visitor), job_id)

    @delete(
        "/{job_id:uuid}",
        operation_id="DeleteJob",
        summary="Delete a job with everything that came from it",
        responses=problems(JobNotFound),
    )
    async def remove(self, request: AnyRequest, job_id: UUID, visitor: Visitor | None, job_service: JobService) -> None:
        """The file, the entries and the room they took."""
        await job_service.delete(_owner(request, job_id, visitor), job_id)

    @post(
        "/{job_id:uuid}/retry",
        operation_id="RetryJob",
        summary="Read a failed document again",
        status_code=202,
        responses=problems(JobNotFound, NotFailed, NothingToRetry, FileGone, ReadingTimeUsedUp, QueueFull),
    )
    async def retry(
        self,
        request: AnyRequest,
        job_id: UUID,
        visitor: Visitor | None,
        receiver: UploadReceiver,
        job_service: JobService,
    ) -> Response[JobView]:
        """Counts as an upload. Possible as long as the file is kept, and unless the cause lies in the file."""
        queued = await receiver.retry(request, _owner(request, job_id, visitor), job_id)
        job = await job_service.with_position(queued)
        return Response(view(job), headers={"Location": location(job.id)})


def _owner(request: AnyRequest, job_id: UUID, visitor: Visitor | None) -> UUID:
    """Raises JobNotFound for a person who owns nothing yet."""
    exchange_of(request.scope).job_id = str(job_id)
    if visitor is None:
        raise JobNotFound
    return visitor.account_id
