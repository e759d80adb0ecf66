"""Errors as a page, for people whose browser sent a form by itself."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from litestar import Request, Response

from upschedule.web.http import problems
from upschedule.web.http.problems import Problem
from upschedule.web.pages.rendering import page

Handler = Callable[[Request[Any, Any, Any], Any], Response[Any]]


def handlers() -> dict[int | type[Exception], Handler]:
    """The same statuses, headers and sentences as the API's."""
    answers = cast("dict[int | type[Exception], Handler]", problems.handlers())
    return {cause: partial(_as_page, answer) for cause, answer in answers.items()}


def _as_page(answer: Handler, request: Request[Any, Any, Any], error: Any) -> Response[bytes]:
    told = answer(request, error)
    problem: Problem = told.content
    shown = page(request, "problem.html", status_code=problem.status, problem=problem)
    for name, value in told.headers.items():
        shown.headers.setdefault(name, value)
    return shown
