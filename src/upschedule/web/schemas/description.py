"""The OpenAPI document as it is served: what the framework knows, made exact.

Schemas come from the library that also reads and writes the bodies, so that every bound and every field is in them.
"""

import inspect
import typing
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from litestar import Litestar, Request, Router
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute

from upschedule.web.client import Connection
from upschedule.web.errors import NotFound
from upschedule.web.problems import Problem

PATH = "/api/v1/openapi.json"
_API_VERSION = "1"
_REFERENCE = "#/components/schemas/{name}"
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


def _only_the_document(connection: Connection, _: BaseRouteHandler) -> None:
    if connection.scope["path"].rstrip("/") != PATH:
        raise NotFound


def _completed(document: dict[str, Any], app: Litestar) -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(sorted(_structs(app), key=repr), ref_template=_REFERENCE)
    edge = {status: _edge_answer(described) for status, described in _EDGE.items()}
    paths = {
        path: {method: _operation(operation, edge) for method, operation in item.items()}
        for path, item in document["paths"].items()
    }
    for schema in schemas.values():
        schema["description"] = inspect.cleandoc(schema.get("description", ""))
    return {**document, "paths": paths, "components": {**document["components"], "schemas": schemas}}


def _operation(operation: dict[str, Any], edge: dict[str, Any]) -> dict[str, Any]:
    responses = {**operation["responses"], **edge}
    for status, described in operation["responses"].items():
        if found := _LINKS.get((operation["operationId"], status)):
            links = {name: {"operationId": name, "parameters": {parameter: at}} for name, parameter, at in found}
            responses[status] = {**described, "links": links}
    return {**operation, "responses": responses}


def _edge_answer(description: str) -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(name=Problem.__name__)}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


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
