"""Completes the OpenAPI document of the framework with exact bounds, statuses and links.

Schemas come from the library that also reads and writes the bodies, so that every bound and every field is in them.
"""

import inspect
import typing
from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec
from litestar import Litestar, Request, Router
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute

from upschedule.errors import Problem
from upschedule.web.api.job_schemas import JobView
from upschedule.web.http.client_addresses import Connection
from upschedule.web.http.errors import NotFound, RequestTooLarge, UnsupportedMediaType
from upschedule.web.http.problems import describe, http_status_for

PATH = "/api/v1/openapi.json"
_API_VERSION = "1"
_REFERENCE = "#/components/schemas/{name}"
_JSON = "application/json"
_EVENTS = "text/event-stream"
_PROBLEM = "application/problem+json"
#: No store can hold U+0000, so requests are checked for it.
_TEXT_PATTERN = "^[^\\u0000]*$"
_ID = "$response.body#/id"
#: Operations that an answer leads to: by operation and status, the operation, its parameter and where the value is.
_LINKS: dict[tuple[str, str], tuple[tuple[str, str, str], ...]] = {
    **{
        ("UploadDocument", status): tuple(
            (operation, "job_id", _ID) for operation in ("GetJob", "StreamJob", "GetTimetable", "RetryJob", "DeleteJob")
        )
        for status in ("200", "202")
    },
    ("CreateCalendar", "201"): tuple(
        (operation, "calendar_id", _ID)
        for operation in ("GetCalendar", "ChangeCalendar", "DownloadCalendar", "DeleteCalendar")
    ),
    ("ListJobs", "200"): (("GetJob", "job_id", "$response.body#/jobs/0/id"),),
    ("ListCalendars", "200"): (("GetCalendar", "calendar_id", "$response.body#/calendars/0/id"),),
    ("ListAcademicYears", "200"): (("GetAcademicYear", "year", "$response.body#/academic_years/0/year"),),
}
#: The same for bodies.
_BODIES: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("GetTimetable", "200"): ("CreateCalendar", {"jobs": ["$request.path.job_id"]}),
}
#: Traefik answers these where no instance does; `docs/edge.md`.
_EDGE = {
    "502": "No instance answered. Try again in a few seconds.",
    "504": "The service took too long. Look whether a change was made before it is tried again.",
}


class _Description(JsonRenderPlugin):
    def __init__(self) -> None:
        super().__init__(path="/")
        self._rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._rendered is None:
            self._rendered = msgspec.json.encode(_completed(openapi_schema, request.app))
        return self._rendered


def openapi_config(*, cookie_name: str) -> OpenAPIConfig:
    """For the application."""
    cookie = SecurityScheme(
        type="apiKey",
        security_scheme_in="cookie",
        name=cookie_name,
        description="Set by the first upload, by signing up and by signing in. Keep the cookie jar.",
    )
    return OpenAPIConfig(
        title="UP Schedule Generator",
        version=_API_VERSION,
        # The framework adds a page of its own for what is unknown below its path: the path is the document's alone.
        openapi_router=Router(PATH, route_handlers=[], include_in_schema=False, guards=[_only_the_document]),
        render_plugins=[_Description()],
        components=Components(security_schemes={"visitor": cookie}),
        security=[{"visitor": []}, {}],
    )


async def _only_the_document(connection: Connection, _: BaseRouteHandler) -> None:
    if connection.scope["path"].rstrip("/") != PATH:
        raise NotFound


def _completed(document: dict[str, Any], app: Litestar) -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(sorted(_structs(app), key=repr), ref_template=_REFERENCE)
    for schema in schemas.values():
        schema["description"] = inspect.cleandoc(schema.get("description", ""))
    paths = {
        path: {method: _operation(operation) for method, operation in item.items()}
        for path, item in document["paths"].items()
    }
    components = {**document["components"], "schemas": _without_nul(schemas)}
    return {**document, "paths": paths, "components": components}


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    responses = {
        status: _answer(operation["operationId"], status, response) for status, response in _statuses(operation)
    }
    parameters = _without_nul(operation.get("parameters", []))
    return {**operation, "responses": responses, **({"parameters": parameters} if parameters else {})}


def _statuses(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from operation["responses"].items()
    if _JSON in operation.get("requestBody", {}).get("content", {}):
        for cause in (RequestTooLarge, UnsupportedMediaType):
            yield str(int(http_status_for(cause))), _problem(f"- `{cause.code}`: {describe(cause)}")
    for status, description in _EDGE.items():
        yield status, _problem(description)


def _answer(operation_id: str, status: str, response: dict[str, Any]) -> dict[str, Any]:
    found = _LINKS.get((operation_id, status), ())
    links: dict[str, Any] = {name: {"operationId": name, "parameters": {key: at}} for name, key, at in found}
    if body := _BODIES.get((operation_id, status)):
        links[body[0]] = {"operationId": body[0], "requestBody": body[1]}
    content = response.get("content", {})
    if _EVENTS in content:
        content = {_EVENTS: {"schema": _event()}}
    return {**response, **({"content": content} if content else {}), **({"links": links} if links else {})}


def _event() -> dict[str, Any]:
    """One of the events; text that holds JSON."""
    text = {"type": "string"}
    data = {**text, "contentMediaType": _JSON, "contentSchema": {"$ref": _REFERENCE.format(name=JobView.__name__)}}
    return {
        "type": "object",
        "properties": {"event": {"const": "status"}, "id": text, "retry": {"type": "integer"}, "data": data},
        "required": ["data"],
    }


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(name=Problem.__name__)}
    return {"description": description, "content": {_PROBLEM: {"schema": schema}}}


def _without_nul(schema: Any) -> Any:
    """Adds the pattern of all text to schemas that have no exacter one."""
    if isinstance(schema, list):
        return [_without_nul(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    described = {key: _without_nul(value) for key, value in cast("dict[str, Any]", schema).items()}
    if described.get("type") == "string" and not described.keys() & {"pattern", "format", "enum", "contentEncoding"}:
        described["pattern"] = _TEXT_PATTERN
    if described.keys() & {"additionalProperties"} and described["additionalProperties"]:
        described["propertyNames"] = {"pattern": _TEXT_PATTERN, **described.get("propertyNames", {})}
    return described


def _structs(app: Litestar) -> set[type[msgspec.Struct]]:
    handlers = (
        handler
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.resolve_include_in_schema()
    )
    return set(_found(annotation for handler in handlers for annotation in _annotations(handler)))


def _annotations(handler: HTTPRouteHandler) -> Iterator[Any]:
    yield handler.parsed_return_field.annotation
    if body := handler.parsed_data_field:
        yield body.annotation
    for specification in (handler.responses or {}).values():
        yield specification.data_container  # pyright: ignore[reportUnknownMemberType] - any type


def _found(annotations: Iterable[Any]) -> Iterator[type[msgspec.Struct]]:
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
            yield annotation
        yield from _found(typing.get_args(annotation))
