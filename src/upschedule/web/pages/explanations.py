"""Explains each kind of problem at the address that the `type` of its problem details contains."""

import msgspec
from litestar import Controller, Response, route

from upschedule.errors import reference
from upschedule.web.http.errors import NotFound
from upschedule.web.http.guards import OUTSIDE_LIMITS
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING, by_method
from upschedule.web.http.problems import causes, describe, http_status_for, problems
from upschedule.web.pages.rendering import page, wants_page


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The explanation of a kind of problem."""

    type: str
    title: str
    status: int
    description: str


class ProblemController(Controller):
    """The explanations are for people who find a `type` in a log or in an answer."""

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
    async def explain(self, request: AnyRequest, code: str) -> Response[Explanation] | Response[bytes]:
        """Sends HTML to browsers, and JSON to other clients."""
        cause = causes().get(code)
        if cause is None:
            raise NotFound
        explanation = Explanation(
            type=reference(code), title=cause.title, status=http_status_for(cause), description=describe(cause)
        )
        if wants_page(request):
            shown = page(request, "explanation.html", explanation=explanation)
            shown.headers |= {"Vary": f"{shown.headers['Vary']}, Accept"}
            return shown
        return Response(explanation, headers={"Cache-Control": "public, max-age=3600", "Vary": "Accept"})
