"""What the page's forms do. Each leads back to the page, so that reloading repeats nothing."""

from uuid import UUID

from litestar import Controller, post
from litestar.response import Redirect

from upschedule.accounts.service import Visitor
from upschedule.processing.service import JobService
from upschedule.web.identity import AnyRequest
from upschedule.web.pages import faults
from upschedule.web.receiving import Receiver

_SEE_OTHER = 303


class DocumentForms(Controller):
    """Adding, retrying and removing documents without JavaScript."""

    path = "/documents"
    include_in_schema = False
    exception_handlers = faults.handlers()

    # The reader bounds the body itself, while it arrives.
    @post(request_max_body_size=None)
    async def add(self, request: AnyRequest, visitor: Visitor | None, receiver: Receiver) -> Redirect:
        """One file."""
        await receiver.receive(request, visitor)
        return Redirect("/", status_code=_SEE_OTHER)

    @post("/{job_id:uuid}/retry")
    async def retry(self, job_id: UUID, known: Visitor, jobs: JobService) -> Redirect:
        """Raises what JobService.retry raises."""
        await jobs.retry(known.account_id, job_id)
        return Redirect("/", status_code=_SEE_OTHER)

    @post("/{job_id:uuid}/remove")
    async def remove(self, job_id: UUID, known: Visitor, jobs: JobService) -> Redirect:
        """With everything that came from it."""
        await jobs.delete(known.account_id, job_id)
        return Redirect("/", status_code=_SEE_OTHER)
