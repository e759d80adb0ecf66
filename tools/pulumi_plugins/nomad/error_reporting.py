"""How a failure reaches the user of Pulumi: in words, and without any secret."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import NoReturn
from urllib.parse import quote

import grpc
from pulumi.runtime.proto import provider_pb2, status_pb2

from tools.pulumi_plugins.nomad.api import NomadError
from tools.pulumi_plugins.nomad.resource import IncompleteError
from tools.pulumi_plugins.nomad.values import Values, keep_secrets, to_struct


def cleaned(message: str, secret_texts: AbstractSet[str]) -> str:
    """Also of secrets in a URL. The longest first: one may be part of another."""
    hidden = {*secret_texts, *(quote(text, safe="") for text in secret_texts)}
    for text in sorted(hidden, key=len, reverse=True):
        message = message.replace(text, "[secret]")
    return message


@contextmanager
def told(context: grpc.ServicerContext, secret_texts: AbstractSet[str]) -> Iterator[None]:
    """Nomad's refusals become the answer."""
    try:
        yield
    except NomadError as failure:
        context.abort(grpc.StatusCode.UNKNOWN, cleaned(str(failure), secret_texts))


def tell_incomplete(
    context: grpc.ServicerContext, failure: IncompleteError, *, inputs: Values, always_secret: AbstractSet[str]
) -> NoReturn:
    """Pulumi records what was made, so that the next run mends it and `destroy` finds it."""
    made = failure.made
    reason = str(failure)
    outputs = keep_secrets(made.outputs, like=inputs, always=always_secret)
    detail = provider_pb2.ErrorResourceInitFailed(
        id=made.id, properties=to_struct(outputs), reasons=[reason], inputs=to_struct(inputs)
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason)
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, reason)
