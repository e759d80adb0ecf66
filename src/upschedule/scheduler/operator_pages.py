"""The scheduler's pages for `upschedule ops`: JSON for those who have the operators' token, problems for the rest.

docs/operators.md lists them; docs/decisions/0031-operators-endpoint.md gives the reasons.
"""

import asyncio
import hmac
import http
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from uuid import UUID, uuid4

import msgspec
import structlog
from msgspec import Meta

from upschedule.errors import PROBLEM_TYPE, Problem, Refusal, reference
from upschedule.processing.operators import errors as operators
from upschedule.processing.operators.answers import Changed
from upschedule.processing.operators.changes import Operator
from upschedule.services import Services
from upschedule.settings import SchedulerSettings
from upschedule.stores.errors import StoreError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_log = structlog.get_logger(__name__)

#: The beginning of every path.
PREFIX = "/ops/"
# A body holds two short texts.
_BODY_BYTES_MAX = 4_096
# Of the thread beyond the answer's own bound: the loop cancels the call first.
_GRACE_SECONDS = 1.0


class OperatorRefusal(Refusal):
    """The scheduler refused the request of an operator. Look at its log."""

    code = "operator-refused"
    explained = False


class NoOperator(OperatorRefusal):
    """This token is not the one of the operators. After a rotation it changes with the scheduler's next release."""

    code = "no-operator"
    title = "Not an operator"


class NotServed(OperatorRefusal):
    """This scheduler has no token for operators, so it answers none. Set UPSCHEDULE_SCHEDULER_OPERATOR_TOKEN."""

    code = "not-served"
    title = "Not set up"


class UnknownPage(OperatorRefusal):
    """The scheduler has no such page. Its release may be older than this `upschedule`."""

    code = "unknown-page"
    title = "No such page"


class WrongMethod(OperatorRefusal):
    """This page answers another method: GET for what only asks, POST for what changes something."""

    code = "wrong-method"
    title = "Wrong method"


class InvalidBody(OperatorRefusal):
    """The body must be a JSON object with `operator` and `reason`, texts of at most 100 and 500 characters."""

    code = "invalid-body"
    title = "Wrong body"


class Busy(OperatorRefusal):
    """The scheduler answers as many operators as it may at once. Try again in a second."""

    code = "busy"
    title = "Busy"


class NoAnswerInTime(OperatorRefusal):
    """PostgreSQL took too long. A change may have been made: look at `upschedule ops status` before you repeat it."""

    code = "no-answer-in-time"
    title = "Took too long"


class Fault(OperatorRefusal):
    """The scheduler met an error of its own, which is in its log. A change may have been made."""

    code = "fault"
    title = "Error of the scheduler"


_STATUSES: Mapping[type[Refusal], http.HTTPStatus] = {
    StoreError: http.HTTPStatus.SERVICE_UNAVAILABLE,
    operators.UnknownJob: http.HTTPStatus.NOT_FOUND,
    operators.UnknownAccount: http.HTTPStatus.NOT_FOUND,
    operators.UnknownReport: http.HTTPStatus.NOT_FOUND,
    operators.NoReportedFile: http.HTTPStatus.CONFLICT,
    operators.NotExempt: http.HTTPStatus.CONFLICT,
    operators.HasNotFailed: http.HTTPStatus.CONFLICT,
    operators.SameAnswer: http.HTTPStatus.CONFLICT,
    operators.FileDeleted: http.HTTPStatus.CONFLICT,
    operators.HasEnded: http.HTTPStatus.CONFLICT,
    operators.HasEarlierResult: http.HTTPStatus.CONFLICT,
    NoOperator: http.HTTPStatus.UNAUTHORIZED,
    NotServed: http.HTTPStatus.SERVICE_UNAVAILABLE,
    UnknownPage: http.HTTPStatus.NOT_FOUND,
    WrongMethod: http.HTTPStatus.METHOD_NOT_ALLOWED,
    InvalidBody: http.HTTPStatus.BAD_REQUEST,
    Busy: http.HTTPStatus.SERVICE_UNAVAILABLE,
    NoAnswerInTime: http.HTTPStatus.SERVICE_UNAVAILABLE,
    Fault: http.HTTPStatus.INTERNAL_SERVER_ERROR,
}


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    operator: Annotated[str, Meta(min_length=1, max_length=100)]
    reason: Annotated[str, Meta(max_length=500)] = ""


_Question = Callable[[], Awaitable[msgspec.Struct]]
_Change = Callable[[Operator], Awaitable[Changed]]


class OperatorPages:
    """A WSGI application, built in the event loop in which its calls run. It answers in threads of the server."""

    challenge: ClassVar[str] = 'Bearer realm="operators"'

    def __init__(self, services: Services, settings: SchedulerSettings) -> None:
        self._services = services
        self._questions = services.operator_questions()
        self._changes = services.operator_changes()
        self._token = settings.operator_token.encode()
        self._seconds = settings.operator_answer_seconds
        self._places = threading.BoundedSemaphore(settings.operator_concurrency)
        self._loop = asyncio.get_running_loop()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request_id = str(uuid4())
        try:
            status, kind, body = http.HTTPStatus.OK, "application/json", self._answer(environ, request_id)
        except Refusal as error:
            status, kind, body = _status_of(error), PROBLEM_TYPE, _problem(error, request_id)
            _log.warning("operator_refused", code=error.code, request_id=request_id, address=_address(environ))
        except Exception:  # noqa: BLE001 - nothing of an unforeseen error leaves, and the server goes on
            error = Fault()
            status, kind, body = _status_of(error), PROBLEM_TYPE, _problem(error, request_id)
            _log.exception("operator_request_failed", request_id=request_id)
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        if status is http.HTTPStatus.UNAUTHORIZED:
            headers.append(("WWW-Authenticate", self.challenge))
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def _answer(self, environ: "WSGIEnvironment", request_id: str) -> bytes:
        # Read in any case: closing a connection with unread bytes can take the answer from the client.
        body = _body(environ)
        self._admit(environ.get("HTTP_AUTHORIZATION", ""))
        call = self._call(environ, body)
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            return msgspec.json.encode(self._in_loop(self._bounded(call, request_id)))
        finally:
            self._places.release()

    def _admit(self, authorization: str) -> None:
        if not self._token:
            raise NotServed
        # WSGI decodes headers as Latin-1, so every text can be encoded.
        given = authorization.encode("latin-1", errors="replace")
        if not hmac.compare_digest(given, b"Bearer " + self._token):
            raise NoOperator

    def _call(self, environ: "WSGIEnvironment", body: bytes) -> _Question:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "").removeprefix(PREFIX)
        question, change = self._question(path), self._change(path)
        if question is None and change is None:
            raise UnknownPage
        if method == "GET" and question is not None:
            return question
        if method == "POST" and change is not None:
            by = _operator(environ, body)
            return lambda: change(by)
        raise WrongMethod

    def _question(self, path: str) -> _Question | None:
        questions: dict[str, _Question] = {
            "status": self._status,
            "queue": self._questions.queue,
            "users": self._questions.users,
            "statements": self._questions.statements,
            "dead-letters": self._questions.dead_letters,
            "wrong-rows": self._questions.wrong_rows,
        }
        match path.split("/"):
            case [name] if name in questions:
                return questions[name]
            case ["jobs", text]:
                job_id = _job_id(text)
                return lambda: self._questions.life(job_id)
            case ["wrong-rows", text, "file"]:
                report_id = _report_id(text)
                return lambda: self._questions.reported_file(report_id)
            case _:
                return None

    def _change(self, path: str) -> _Change | None:
        match path.split("/"):
            case ["queue", "pause"]:
                return self._changes.pause
            case ["queue", "resume"]:
                return self._changes.resume
            case ["jobs", text, "retry"]:
                job_id = _job_id(text)
                return lambda by: self._changes.retry(job_id, by)
            case ["jobs", text, "cancel"]:
                job_id = _job_id(text)
                return lambda by: self._changes.cancel(job_id, by)
            case ["accounts", text, ("exempt" | "end-exemption") as word]:
                account_id = _account_id(text)
                change = self._changes.exempt if word == "exempt" else self._changes.end_exemption
                return lambda by: change(account_id, by)
            case _:
                return None

    async def _status(self) -> msgspec.Struct:
        return await self._questions.status(await self._services.readiness())

    async def _bounded(self, call: _Question, request_id: str) -> msgspec.Struct:
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                async with asyncio.timeout(self._seconds):
                    return await call()
            except TimeoutError as error:
                raise NoAnswerInTime from error

    def _in_loop(self, call: Coroutine[Any, Any, msgspec.Struct]) -> msgspec.Struct:
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result(self._seconds + _GRACE_SECONDS)
        except TimeoutError as error:
            future.cancel()
            raise NoAnswerInTime from error


def _body(environ: "WSGIEnvironment") -> bytes:
    try:
        length = int(environ.get("CONTENT_LENGTH") or "0")
        if not 0 <= length <= _BODY_BYTES_MAX:
            raise InvalidBody
        return environ["wsgi.input"].read(length)
    except (ValueError, OSError) as error:
        raise InvalidBody from error


def _operator(environ: "WSGIEnvironment", body: bytes) -> Operator:
    try:
        sent = msgspec.json.decode(body, type=_Body)
    except msgspec.MsgspecError as error:
        raise InvalidBody from error
    # A line break would make a second line of what `upschedule ops status` shows.
    if not (sent.operator + sent.reason).isprintable():
        raise InvalidBody
    return Operator(name=sent.operator, address=_address(environ), reason=sent.reason)


def _job_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise operators.UnknownJob from error


def _report_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise operators.UnknownReport from error


def _account_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise operators.UnknownAccount from error


def _address(environ: "WSGIEnvironment") -> str:
    return environ.get("REMOTE_ADDR", "")


def _status_of(error: Refusal) -> http.HTTPStatus:
    return next(_STATUSES[base] for base in type(error).__mro__ if base in _STATUSES)


def _problem(error: Refusal, request_id: str) -> bytes:
    return msgspec.json.encode(
        Problem(
            type=reference(error.code),
            title=error.title,
            status=_status_of(error),
            detail=error.detail,
            instance=request_id,
        )
    )
