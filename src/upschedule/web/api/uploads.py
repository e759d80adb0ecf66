"""Uploads of documents."""

from litestar import Controller, Response, post
from litestar.openapi.datastructures import ResponseSpec

from upschedule.accounts.service import Visitor
from upschedule.pdf.errors import EmptyFile, NotAPdf, TooLarge
from upschedule.processing.errors import AccountNotFound, QueueFull, QuotaExceeded, ReadingTimeUsedUp
from upschedule.processing.service import JobService
from upschedule.web.api.job_schemas import JobView, location, view
from upschedule.web.http.errors import RequestTimedOut, ServerBusy, UnsupportedMediaType
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import UploadOperation
from upschedule.web.http.problems import problems
from upschedule.web.http.uploads import UploadReceiver

_KNOWN = ResponseSpec(JobView, description="These bytes are known; the finished job.", generate_examples=False)


class UploadController(Controller):
    """One file a request; each becomes a job."""

    path = "/api/v1/uploads"
    tags = ("jobs",)

    @post(
        operation_id="UploadDocument",
        summary="Upload a schedule PDF",
        status_code=202,
        # The reader bounds the body itself, while it arrives.
        request_max_body_size=None,
        operation_class=UploadOperation,
        responses={
            200: _KNOWN,
            **problems(
                EmptyFile,
                NotAPdf,
                TooLarge,
                QuotaExceeded,
                QueueFull,
                ReadingTimeUsedUp,
                AccountNotFound,
                UnsupportedMediaType,
                RequestTimedOut,
                ServerBusy,
            ),
        },
    )
    async def upload(
        self, request: AnyRequest, visitor: Visitor | None, receiver: UploadReceiver, job_service: JobService
    ) -> Response[JobView]:
        """The job at `Location` says how the reading goes; `…/stream` pushes it.

        The first upload sets the cookie by which a visitor is known from then on.
        """
        accepted = await receiver.receive(request, visitor)
        job = await job_service.with_position(accepted.job)
        finished = not accepted.created and accepted.job.is_final
        return Response(view(job), status_code=200 if finished else 202, headers={"Location": location(job.id)})
