"""Templates to HTML, with the headers that every page carries."""

import gzip
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import minijinja
from litestar import MediaType, Request, Response

from upschedule.errors import Problem
from upschedule.web.http import problems
from upschedule.web.http.exchange import settings_of
from upschedule.web.http.identity import AnyRequest
from upschedule.web.pages.assets import ASSETS, ENCODED, VARY, accepts_gzip

Handler = Callable[[Request[Any, Any, Any], Any], Response[Any]]

_TEMPLATES = Path(__file__).parents[1] / "templates"

#: Nothing inline, nothing from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
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


_ENVIRONMENT = minijinja.Environment(
    loader=_load,
    filters={"asset": _address, "capitalize_first": _capitalize_first},
    undefined_behavior="strict",
    # Its error messages would quote the variables, and with them a person's schedule, into the logs.
    debug=False,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(request: AnyRequest, template: str, *, status_code: int = 200, **context: object) -> Response[bytes]:
    """Compressed, since each change of a choice sends it again. Raises TemplateError for a name that is not given."""
    notice = settings_of(request.scope).maintenance.message or None
    content = _ENVIRONMENT.render_template(template, notice=notice, **context).encode()
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": CONTENT_SECURITY_POLICY, **VARY}
    if accepts_gzip(request):
        headers |= ENCODED
        content = gzip.compress(content, compresslevel=5)
    return Response(content, status_code=status_code, media_type=MediaType.HTML, headers=headers)


def error_handlers() -> dict[int | type[Exception], Handler]:
    """The same statuses, headers and sentences as the API's."""
    answers = cast("dict[int | type[Exception], Handler]", problems.handlers())
    return {cause: partial(_as_page, answer) for cause, answer in answers.items()}


def _as_page(answer: Handler, request: Request[Any, Any, Any], error: Any) -> Response[bytes]:
    answered = answer(request, error)
    problem: Problem = answered.content
    shown = page(request, "problem.html", status_code=problem.status, problem=problem)
    for name, value in answered.headers.items():
        shown.headers.setdefault(name, value)
    return shown
