"""Each `type` of a problem is an address that explains it."""

import html

import msgspec
from litestar import Controller, MediaType, Response, route

from upschedule.errors import reference
from upschedule.web.http.errors import NotFound
from upschedule.web.http.guards import OUTSIDE_LIMITS
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING, by_method
from upschedule.web.http.problems import causes, describe, http_status_for, problems

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body><main><h1>{title}</h1><p>{description}</p><p><a href="/">Back to the first page</a></p></main></body>
</html>
"""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of problem means, whatever the occasion."""

    type: str
    title: str
    status: int
    description: str


class ProblemController(Controller):
    """Read by people who meet a `type` in a log or an answer."""

    path = "/problems"
    tags = ("problems",)
    opt = OUTSIDE_LIMITS

    @route(
        "/{code:str}",
        http_method=READING,
        operation_id=by_method("ExplainProblem"),
        summary="What a problem means",
        responses=problems(NotFound),
    )
    async def explain(self, request: AnyRequest, code: str) -> Response[Explanation | str]:
        """HTML for browsers, JSON for others."""
        cause = causes().get(code)
        if cause is None:
            raise NotFound
        headers = {"Cache-Control": "public, max-age=3600", "Vary": "Accept"}
        if "text/html" in request.headers.get("accept", ""):
            page = _PAGE.format(title=html.escape(cause.title), description=html.escape(describe(cause)))
            return Response(page, media_type=MediaType.HTML, headers=headers)
        explanation = Explanation(
            type=reference(code), title=cause.title, status=http_status_for(cause), description=describe(cause)
        )
        return Response(explanation, headers=headers)
