"""Errors of requests that no service has seen yet."""

from upschedule.errors import FieldError, Refusal


class InvalidRequest(Refusal):
    """The request does not have the form that is expected. Correct what is named and send it again."""

    code = "invalid-request"
    title = "Invalid request"

    def __init__(self, detail: str | None = None, errors: tuple[FieldError, ...] = ()) -> None:
        self.errors = errors
        super().__init__(detail)


class CrossSiteRequest(Refusal):
    """Another website sent this request, so it was not carried out. Open the service itself and do it there."""

    code = "cross-site-request"
    title = "Sent by another site"


class NotFound(Refusal):
    """There is nothing at this address. Check it, or start again from the first page."""

    code = "not-found"
    title = "Not found"


class MethodNotAllowed(Refusal):
    """This address does not answer this method. The Allow header names those that it answers."""

    code = "method-not-allowed"
    title = "Method not allowed"


class RequestTimedOut(Refusal):
    """The request's body did not arrive in time. Send it again over a better connection."""

    code = "request-timed-out"
    title = "The request took too long to arrive"


class RequestTooLarge(Refusal):
    """The request is larger than this address accepts. Send less."""

    code = "request-too-large"
    title = "The request is too large"


class UnsupportedMediaType(Refusal):
    """This address does not read this content type. Send what the description of the interface names."""

    code = "unsupported-media-type"
    title = "Unsupported content type"


class LimitExceeded(Refusal):
    """Too many requests in too short a time. Wait as long as the Retry-After header says, then go on."""

    code = "rate-limit"
    title = "Too many requests"

    def __init__(self, *, limit: str, retry_after_seconds: int, detail: str) -> None:
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds
        super().__init__(detail)


class ServerBusy(Refusal):
    """Too many uploads are arriving at once. Nothing is wrong with the file; send it again in a few seconds."""

    code = "server-busy"
    title = "The service is busy"
    retry_after_seconds = 3


class UnderMaintenance(Refusal):
    """The service is being worked on and takes nothing new. Reading and calendar links go on; come back soon."""

    code = "maintenance"
    title = "Under maintenance"

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(detail)


class InternalError(Refusal):
    """Something broke on our side. Nothing was lost; try again, and report the id of the request if it stays."""

    code = "internal-error"
    title = "Internal error"
