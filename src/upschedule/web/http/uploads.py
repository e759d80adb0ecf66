"""Turns an upload into a job: checks limits, reads the file, finds its owner (R5.1)."""

from contextlib import suppress
from uuid import UUID

import msgspec

from upschedule.accounts.exemptions import Exemptions
from upschedule.accounts.service import AccountService, Visitor
from upschedule.processing.errors import AccountNotFound
from upschedule.processing.intake import Accepted, Intake
from upschedule.processing.job import Job
from upschedule.stores.errors import StoreError
from upschedule.web.http.client_addresses import ClientAddresses
from upschedule.web.http.exchange import exchange_of, settings_of
from upschedule.web.http.identity import AnyRequest, Identity
from upschedule.web.http.multipart import UploadedFile, UploadReader
from upschedule.web.http.rate_limits import RateLimits


class UploadReceiver(msgspec.Struct, frozen=True, kw_only=True):
    """An upload counts for its account once it has become a job, known bytes included; a refused one does not."""

    intake: Intake
    accounts: AccountService
    exemptions: Exemptions
    identity: Identity
    rate_limits: RateLimits
    clients: ClientAddresses
    reader: UploadReader

    async def receive(self, request: AnyRequest, visitor: Visitor | None) -> Accepted:
        """Creates a visitor for an unknown person. Raises what the reader, the limits and Intake.accept raise."""
        await self.rate_limits.upload_attempt(request, visitor.account_id if visitor else None)
        if visitor is None:
            return await self._receive_first(request)
        await self.rate_limits.upload(request, visitor.account_id)
        try:
            async with self.reader.received(request) as file:
                return await self._accept(request, visitor, file)
        except AccountNotFound:
            # A restored backup is older than this visitor: the next upload begins anew.
            await self.identity.sign_out(request)
            raise
        except BaseException:
            await self.rate_limits.give_back_upload(request, visitor.account_id)
            raise

    async def _receive_first(self, request: AnyRequest) -> Accepted:
        async with self.reader.received(request) as file:
            visitor = await self.identity.create(request)
            try:
                await self.rate_limits.upload(request, visitor.account_id)
                accepted = await self._accept(request, visitor, file)
            except BaseException:
                # What cannot be taken back now is an account that owns nothing.
                with suppress(StoreError):
                    await self.accounts.forget_visitor(visitor)
                raise
        self.identity.remember(request, visitor)
        return accepted

    async def retry(self, request: AnyRequest, account_id: UUID, job_id: UUID) -> Job:
        """Counts as an upload (R5.1), unless it is refused. Raises what the limits and Intake.retry raise."""
        await self.rate_limits.upload_attempt(request, account_id)
        await self.rate_limits.upload(request, account_id)
        try:
            return await self.intake.retry(
                account_id,
                job_id,
                address=self.clients.of(request),
                settings=settings_of(request.scope),
                exempt=await self.exemptions.cover(account_id),
            )
        except BaseException:
            await self.rate_limits.give_back_upload(request, account_id)
            raise

    async def _accept(self, request: AnyRequest, visitor: Visitor, file: UploadedFile) -> Accepted:
        exchange = exchange_of(request.scope)
        accepted = await self.intake.accept(
            visitor.account_id,
            file_name=file.name,
            data=file.content,
            request_id=exchange.request_id,
            address=self.clients.of(request),
            settings=exchange.settings,
            exempt=await self.exemptions.cover(visitor.account_id),
        )
        exchange.job_id = str(accepted.job.id)
        return accepted
