"""Adds to the OpenAPI description of an operation what the framework cannot derive."""

from dataclasses import dataclass

from litestar import HttpMethod
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Encoding, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.types import OperationIDCreator

from upschedule.web.http.multipart import FIELD

#: The methods of public resources: a link checker asks for the headers alone.
READING = (HttpMethod.GET, HttpMethod.HEAD)
#: A 304.
UNCHANGED = ResponseSpec(None, description="Nothing has changed since the ETag that was sent.")


def by_method(name: str) -> OperationIDCreator:
    """The operation id of a handler that answers several methods: ids must differ."""

    def operation_id(_handler: object, method: object, _path: object) -> str:
        return f"{name}{str(getattr(method, 'value', method)).title()}"

    return operation_id


def _upload_body() -> RequestBody:
    file = Schema(type=OpenAPIType.STRING, content_media_type="application/pdf", description="The PDF, at most 10 MB")
    form = Schema(type=OpenAPIType.OBJECT, properties={FIELD: file}, required=[FIELD])
    encoding = {FIELD: Encoding(content_type="application/pdf")}
    return RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form, encoding=encoding)}, required=True)


@dataclass
class UploadOperation(Operation):
    """An operation whose body is read by hand, as it arrives."""

    def __post_init__(self) -> None:
        self.request_body = _upload_body()
