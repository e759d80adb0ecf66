"""Reports errors to the engine of Pulumi, without secrets in their texts."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import NoReturn
from urllib.parse import quote

import grpc
from pulumi.runtime.proto import provider_pb2, status_pb2

from tools.pulumi_plugins.nomad.resource import FAILURES, IncompleteError
from tools.pulumi_plugins.nomad.values import Values, keep_secrets, to_struct


def redact(message: str, secret_texts: AbstractSet[str]) -> str:
    """Replaces every secret in the message, quoted as in a URL as well."""
    # The longest first: one may be part of another.
    hidden = {*secret_texts, *(quote(text, safe="") for text in secret_texts)}
    for text in sorted(hidden, key=len, reverse=True):
        message = message.replace(text, "[secret]")
    return message


@contextmanager
def report_errors(context: grpc.ServicerContext, secret_texts: AbstractSet[str]) -> Iterator[None]:
    """Ends the call with Nomad's error, if there is one."""
    try:
        yield
    except FAILURES as failure:
        context.abort(grpc.StatusCode.UNKNOWN, redact(str(failure), secret_texts))


def report_incomplete(
    context: grpc.ServicerContext, failure: IncompleteError, *, inputs: Values, always_secret: AbstractSet[str]
) -> NoReturn:
    """Ends the call with an error and the resource, which Pulumi records and can update or destroy later."""
    resource = failure.resource
    reason = str(failure)
    outputs = keep_secrets(resource.outputs, like=inputs, always=always_secret)
    detail = provider_pb2.ErrorResourceInitFailed(
        id=resource.id, properties=to_struct(outputs), reasons=[reason], inputs=to_struct(inputs)
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason)
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, reason)
