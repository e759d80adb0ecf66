"""Renders templates to HTML, with the headers of every page."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import minijinja
import msgspec
from litestar import MediaType, Request, Response

from upschedule.accounts.errors import NoVisitor
from upschedule.errors import Problem, Refusal
from upschedule.web.http import problems
from upschedule.web.http.compression import ENCODED, VARY, accepts_gzip, compressed
from upschedule.web.http.exchange import settings_of
from upschedule.web.http.identity import AnyRequest
from upschedule.web.pages.assets import ASSETS

Handler = Callable[[Request[Any, Any, Any], Any], Response[Any]]

_TEMPLATES = Path(__file__).parents[1] / "templates"


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """What has happened, and what the student can do."""

    title: str
    detail: str


SESSION_GONE = Sentence(
    title="This browser is no longer known here",
    detail="You were away for too long, or its cookies were deleted. Add your PDFs again, it takes a minute, or sign "
    "in if you have an account. Calendars to which you have subscribed go on.",
)

#: Nothing inline, nothing from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def _load(name: str) -> str | None:
    path = _TEMPLATES / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _address(name: str) -> str:
    # Its own characters need no escaping; minijinja would write each slash as six.
    return minijinja.safe(ASSETS.url(name))


def _capitalize_first(text: str) -> str:
    # The filter `capitalize` would make "(S2)" small.
    return text[:1].upper() + text[1:]


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


_ENVIRONMENT = minijinja.Environment(
    loader=_load,
    filters={"asset": _address, "capitalize_first": _capitalize_first, "lower_first": _lower_first},
    undefined_behavior="strict",
    # Its error messages would quote the variables, and with them a person's schedule, into the logs.
    debug=False,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(request: AnyRequest, template: str, *, status_code: int = 200, **context: object) -> Response[bytes]:
    """A page, compressed because each change of a choice sends it again. Raises TemplateError for an undefined name."""
    notice = settings_of(request.scope).maintenance.message or None
    content = _ENVIRONMENT.render_template(template, notice=notice, **context).encode()
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": CONTENT_SECURITY_POLICY, **VARY}
    if accepts_gzip(request):
        headers |= ENCODED
        content = compressed(content)
    return Response(content, status_code=status_code, media_type=MediaType.HTML, headers=headers)


def page_of_refusal(request: AnyRequest, template: str, refusal: Refusal, **context: object) -> Response[bytes]:
    """The page for a refused form, with the same status, headers and sentences as the API's answer."""
    answered: Response[Problem] = problems.handlers()[Exception](request, refusal)
    problem = answered.content
    errors = {error.field: error.detail for error in problem.errors or ()}
    # Where fields are named, the sentence about them all would add nothing.
    message = "" if errors else problem.detail
    shown = page(request, template, status_code=problem.status, message=message, errors=errors, **context)
    return _with_headers_of(answered, shown)


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Whether the client is a browser that requests a page. The API sends the same answer to all clients."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


def negotiated_handlers() -> dict[int | type[Exception], Handler]:
    """Error handlers for addresses that are no page: a page for browsers, problem details for others."""
    answers = cast("dict[int | type[Exception], Handler]", problems.handlers())
    return {cause: partial(_as_asked, answer) for cause, answer in answers.items()}


def error_handlers() -> dict[int | type[Exception], Handler]:
    """Error handlers for pages, with the same statuses, headers and sentences as the API's."""
    answers = cast("dict[int | type[Exception], Handler]", problems.handlers())
    return {cause: partial(_as_page, answer) for cause, answer in answers.items()}


def _as_asked(answer: Handler, request: Request[Any, Any, Any], error: Any) -> Response[Any]:
    answered = _as_page(answer, request, error) if wants_page(request) else answer(request, error)
    answered.headers["Vary"] = ", ".join(filter(None, (answered.headers.get("Vary"), "Accept")))
    return answered


def _as_page(answer: Handler, request: Request[Any, Any, Any], error: Any) -> Response[bytes]:
    answered = answer(request, error)
    problem: Problem = answered.content
    if isinstance(error, NoVisitor):
        # The API's sentence names ways that the page does not have.
        problem = msgspec.structs.replace(problem, title=SESSION_GONE.title, detail=SESSION_GONE.detail)
    shown = page(request, "problem.html", status_code=problem.status, problem=problem)
    return _with_headers_of(answered, shown)


def _with_headers_of(answered: Response[Problem], shown: Response[bytes]) -> Response[bytes]:
    for name, value in answered.headers.items():
        shown.headers.setdefault(name, value)
    return shown
