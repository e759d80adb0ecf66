"""Maps each error to its HTTP status and problem details (RFC 9457). No other module does this."""

import http
import logging
from collections.abc import Mapping
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from upschedule.accounts import errors as accounts
from upschedule.calendars import errors as calendars
from upschedule.errors import PROBLEM_TYPE, FieldError, Problem, Refusal, reference
from upschedule.pdf import errors as pdf
from upschedule.processing import errors as processing
from upschedule.stores.errors import StoreError, StoreFull
from upschedule.web.http import errors as web
from upschedule.web.http.exchange import exchange_of

_TEMPORARY_RETRY_SECONDS = 5
_MEANT = (processing.QueueFull, accounts.SignInBusy, calendars.CalendarBusy, web.ServerBusy, web.UnderMaintenance)

_log = structlog.stdlib.get_logger("upschedule.web")

#: A class that is not listed has the status of the nearest listed class that it inherits from.
STATUSES: Mapping[type[Refusal], http.HTTPStatus] = {
    Refusal: http.HTTPStatus.BAD_REQUEST,
    StoreError: http.HTTPStatus.SERVICE_UNAVAILABLE,
    StoreFull: http.HTTPStatus.INSUFFICIENT_STORAGE,
    pdf.UnreadableDocument: http.HTTPStatus.BAD_REQUEST,
    pdf.TooLarge: http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    processing.AccountNotFound: http.HTTPStatus.UNAUTHORIZED,
    processing.JobNotFound: http.HTTPStatus.NOT_FOUND,
    processing.NotCompleted: http.HTTPStatus.CONFLICT,
    processing.NotFailed: http.HTTPStatus.CONFLICT,
    processing.NothingToRetry: http.HTTPStatus.CONFLICT,
    processing.FileGone: http.HTTPStatus.CONFLICT,
    processing.NoPicture: http.HTTPStatus.SERVICE_UNAVAILABLE,
    processing.QuotaExceeded: http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    processing.QueueFull: http.HTTPStatus.SERVICE_UNAVAILABLE,
    processing.ReadingTimeUsedUp: http.HTTPStatus.TOO_MANY_REQUESTS,
    processing.ReadingTimedOut: http.HTTPStatus.INTERNAL_SERVER_ERROR,
    processing.ReadingFailed: http.HTTPStatus.INTERNAL_SERVER_ERROR,
    processing.ReadingCancelled: http.HTTPStatus.SERVICE_UNAVAILABLE,
    accounts.AlreadySignedUp: http.HTTPStatus.CONFLICT,
    accounts.WrongCredentials: http.HTTPStatus.UNAUTHORIZED,
    accounts.LinkExpired: http.HTTPStatus.GONE,
    accounts.NoVisitor: http.HTTPStatus.UNAUTHORIZED,
    accounts.SignInBlocked: http.HTTPStatus.TOO_MANY_REQUESTS,
    accounts.SignInBusy: http.HTTPStatus.SERVICE_UNAVAILABLE,
    calendars.CalendarNotFound: http.HTTPStatus.NOT_FOUND,
    calendars.FeedNotFound: http.HTTPStatus.NOT_FOUND,
    calendars.ModuleNotInCalendar: http.HTTPStatus.NOT_FOUND,
    calendars.ShareNotFound: http.HTTPStatus.NOT_FOUND,
    calendars.YearNotFound: http.HTTPStatus.NOT_FOUND,
    calendars.CalendarChanged: http.HTTPStatus.PRECONDITION_FAILED,
    calendars.ScheduleNotRead: http.HTTPStatus.CONFLICT,
    calendars.CalendarBusy: http.HTTPStatus.SERVICE_UNAVAILABLE,
    calendars.TooManyCalendars: http.HTTPStatus.CONFLICT,
    calendars.TooManyGroups: http.HTTPStatus.CONFLICT,
    web.CrossSiteRequest: http.HTTPStatus.FORBIDDEN,
    web.NotFound: http.HTTPStatus.NOT_FOUND,
    web.MethodNotAllowed: http.HTTPStatus.METHOD_NOT_ALLOWED,
    web.RequestTimedOut: http.HTTPStatus.REQUEST_TIMEOUT,
    web.RequestTooLarge: http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    web.UnsupportedMediaType: http.HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    web.LimitExceeded: http.HTTPStatus.TOO_MANY_REQUESTS,
    web.ServerBusy: http.HTTPStatus.SERVICE_UNAVAILABLE,
    web.UnderMaintenance: http.HTTPStatus.SERVICE_UNAVAILABLE,
    web.InternalError: http.HTTPStatus.INTERNAL_SERVER_ERROR,
}

#: Errors that the framework raises.
_FRAMEWORK: Mapping[int, type[Refusal]] = {
    http.HTTPStatus.NOT_FOUND: web.NotFound,
    http.HTTPStatus.METHOD_NOT_ALLOWED: web.MethodNotAllowed,
    http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE: web.RequestTooLarge,
    http.HTTPStatus.UNSUPPORTED_MEDIA_TYPE: web.UnsupportedMediaType,
}


def http_status_for(cause: type[Refusal]) -> http.HTTPStatus:
    """The status of the class itself, or of the nearest listed class that it inherits from."""
    return next(STATUSES[base] for base in cause.__mro__ if base in STATUSES)


def causes() -> dict[str, type[Refusal]]:
    """Every cause that the API explains, by its code."""
    found: dict[str, type[Refusal]] = {}
    waiting: list[type[Refusal]] = [Refusal]
    while waiting:
        cause = waiting.pop()
        if cause.explained:
            found.setdefault(cause.code, cause)
        waiting.extend(cause.__subclasses__())
    return found


def describe(cause: type[Refusal]) -> str:
    """The sentence of the class: what is wrong and what to do."""
    return " ".join((cause.__doc__ or "").split())


def problems(*expected: type[Refusal]) -> dict[int, ResponseSpec]:
    """The `responses` of an operation: these causes, and those that any operation may meet."""
    by_status: dict[int, list[type[Refusal]]] = {}
    for cause in (
        *expected,
        web.InvalidRequest,
        web.CrossSiteRequest,
        web.LimitExceeded,
        web.InternalError,
        web.UnderMaintenance,
        StoreError,
        StoreFull,
    ):
        group = by_status.setdefault(http_status_for(cause), [])
        if cause not in group:
            group.append(cause)
    return {status: _specification(group) for status, group in sorted(by_status.items())}


def handlers() -> dict[int | type[Exception], Any]:
    """Exception handlers of the application. All errors become problem details; unforeseen ones reveal nothing."""
    return {HTTPException: _answer_framework, Exception: _answer}


def _specification(group: list[type[Refusal]]) -> ResponseSpec:
    described = "\n".join(f"- `{cause.code}`: {describe(cause)}" for cause in group)
    return ResponseSpec(data_container=Problem, description=described, media_type=PROBLEM_TYPE, generate_examples=False)


def _answer(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    cause = error if isinstance(error, Refusal) else web.InternalError()
    return _respond(request, cause, error)


def _answer_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    if isinstance(error, ValidationException):
        return _respond(request, web.InvalidRequest(errors=_field_errors(error)), error)
    if cause := _FRAMEWORK.get(error.status_code):
        return _respond(request, cause(), error)
    if error.status_code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return _respond(request, web.InvalidRequest(), error)
    return _respond(request, web.InternalError(), error)


def _respond(request: Request[Any, Any, Any], cause: Refusal, error: Exception) -> Response[Problem]:
    exchange, status = exchange_of(request.scope), http_status_for(type(cause))
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        # Back-pressure is intended: a stack trace for each refusal would hide the faults in the log.
        exchange.back_pressure = isinstance(error, _MEANT)
        trace = None if exchange.back_pressure else error
        _log.log(
            logging.WARNING if trace is None else logging.ERROR,
            "request_failed",
            code=cause.code,
            exc_info=trace,
            **exchange.ids(),
        )
    errors: tuple[FieldError, ...] = getattr(cause, "errors", ())
    problem = Problem(
        type=reference(cause.code),
        title=cause.title,
        status=status,
        detail=cause.detail,
        instance=exchange.request_id,
        errors=errors or None,
    )
    return Response(problem, status_code=status, media_type=PROBLEM_TYPE, headers=_headers(cause, error))


def _headers(cause: Refusal, error: Exception) -> dict[str, str]:
    headers = dict(getattr(error, "headers", None) or {})
    seconds: int | None = getattr(cause, "retry_after_seconds", None)
    if seconds is None and isinstance(cause, StoreError):
        seconds = _TEMPORARY_RETRY_SECONDS
    if seconds is not None:
        headers["Retry-After"] = str(seconds)
    return headers


def _field_errors(error: ValidationException) -> tuple[FieldError, ...]:
    extra: Any = error.extra
    if not isinstance(extra, list):
        return ()
    items: list[dict[str, str]] = [item for item in extra if isinstance(item, dict)]  # pyright: ignore[reportUnknownVariableType] - the framework types `extra` as Any
    return tuple(FieldError(field=item.get("key", ""), detail=item.get("message", "")) for item in items)
