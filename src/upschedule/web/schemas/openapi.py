"""What the framework cannot tell of an operation by itself."""

from dataclasses import dataclass, field

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, Reference, RequestBody, Schema

from upschedule.web.uploads import FIELD


def _upload_body() -> RequestBody:
    file = Schema(type=OpenAPIType.STRING, content_media_type="application/pdf", description="The PDF, at most 10 MB")
    form = Schema(type=OpenAPIType.OBJECT, properties={FIELD: file}, required=[FIELD])
    return RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)}, required=True)


@dataclass
class UploadOperation(Operation):
    """An operation whose body is read by hand, as it arrives."""

    request_body: RequestBody | Reference | None = field(default_factory=_upload_body)
