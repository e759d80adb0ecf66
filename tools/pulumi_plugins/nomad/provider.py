"""The resource plugin `nomad` of Pulumi, with the resource types that our program uses.

It replaces `pulumi-resource-nomad` 2.6.1 on machines that cannot download the official one, takes the same properties
and gives the same outputs. What it does not serve it refuses in words.
"""

import os
from collections.abc import Mapping
from threading import Event
from typing import Any, Protocol

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tools.pulumi_plugins.grpc_server import serve
from tools.pulumi_plugins.nomad.acl import AclPolicy, AclToken
from tools.pulumi_plugins.nomad.diff import difference
from tools.pulumi_plugins.nomad.error_reporting import redact, report_errors, report_incomplete
from tools.pulumi_plugins.nomad.job import Job
from tools.pulumi_plugins.nomad.namespace import Namespace
from tools.pulumi_plugins.nomad.resource import IncompleteError, Resource, ResourceType, Work
from tools.pulumi_plugins.nomad.values import (
    UNKNOWN,
    Values,
    from_struct,
    has_unknown,
    keep_secrets,
    plain,
    secret_texts,
    to_struct,
)
from tools.pulumi_plugins.nomad.variable import Variable
from upschedule.deploy.http import BRIEF
from upschedule.deploy.nomad import NomadClient, nomad_endpoint

VERSION = "2.6.1"
TYPES: Mapping[str, ResourceType] = {
    kind.type_name: kind for kind in (Job(), Namespace(), AclPolicy(), AclToken(), Variable())
}
# Properties of the provider's configuration, and the environment variables of Nomad that they override.
VARIABLES: Mapping[str, str] = {
    "address": "NOMAD_ADDR",
    "secretId": "NOMAD_TOKEN",
    "region": "NOMAD_REGION",
    "caFile": "NOMAD_CACERT",
    "certFile": "NOMAD_CLIENT_CERT",
    "keyFile": "NOMAD_CLIENT_KEY",
}
# Nomad plans and validates large jobs in one request.
READ_SECONDS = 60.0
# What the engine itself adds to a provider's configuration.
ENGINES_OWN = frozenset({"version", "pluginDownloadURL", "__internal"})
NOT_SERVED = "is not served by this stand-in for the official plugin"
Context = grpc.ServicerContext


class HasType(Protocol):
    """Every request about a resource."""

    type: str


class NomadProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Turns Pulumi's requests into calls of a ResourceType."""

    def __init__(self) -> None:
        self._nomad: NomadClient | None = None
        self._cancelled = Event()

    def Handshake(self, request: Any, context: Context) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(self, request: Any, context: Context) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        unserved = from_struct(request.news).keys() - VARIABLES.keys() - ENGINES_OWN
        failures = [provider_pb2.CheckFailure(property=name, reason=NOT_SERVED) for name in sorted(unserved)]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        return difference(from_struct(request.old_inputs), from_struct(request.news), replaced=frozenset())

    def Configure(self, request: provider_pb2.ConfigureRequest, context: Context) -> provider_pb2.ConfigureResponse:
        self._nomad = client_from(plain(from_struct(request.args)))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        kind = type_of(request, context)
        news = {**kind.defaults, **from_struct(request.news)}
        problems = [f"{name} {NOT_SERVED}" for name in sorted(news.keys() - kind.properties)]
        problems += [f"{name} is required" for name in sorted(kind.required - news.keys())]
        hidden = secret_texts(news)
        if not problems and not has_unknown(news):
            with report_errors(context, hidden):
                problems = kind.problems(self._api(context), plain(news))
        # Without a property: the engine would print the whole of its value, which may be a file.
        failures = [provider_pb2.CheckFailure(reason=redact(problem, hidden)) for problem in problems]
        return provider_pb2.CheckResponse(inputs=to_struct(news), failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        kind = type_of(request, context)
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        known = Resource(id=request.id, inputs=plain(old), computed=plain(from_struct(request.olds)))
        with report_errors(context, secret_texts([old, new])):
            replaced = kind.replaced(self._api(context), known, plain(new))
        return difference(old, new, replaced=replaced)

    def Create(self, request: provider_pb2.CreateRequest, context: Context) -> provider_pb2.CreateResponse:
        kind, inputs = type_of(request, context), from_struct(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_struct(self._foreseen(kind, inputs, context)))
        work = self._work(context, inputs, request.timeout)
        with report_errors(context, work.secret_texts):
            try:
                made = kind.create(work, plain(inputs))
            except IncompleteError as failure:
                report_incomplete(context, failure, inputs=inputs, always_secret=kind.secret)
            return provider_pb2.CreateResponse(id=made.id, properties=outputs_of(kind, made, inputs))

    def Update(self, request: provider_pb2.UpdateRequest, context: Context) -> provider_pb2.UpdateResponse:
        kind, inputs, olds = type_of(request, context), from_struct(request.news), from_struct(request.olds)
        if request.preview:
            kept = {name: olds[name] for name in kind.stable if name in olds}
            return provider_pb2.UpdateResponse(properties=to_struct({**self._foreseen(kind, inputs, context), **kept}))
        work = self._work(context, inputs, request.timeout)
        with report_errors(context, work.secret_texts):
            try:
                made = kind.update(work, request.id, plain(inputs), plain(olds))
            except IncompleteError as failure:
                report_incomplete(context, failure, inputs=inputs, always_secret=kind.secret)
            return provider_pb2.UpdateResponse(properties=outputs_of(kind, made, inputs))

    def Read(self, request: provider_pb2.ReadRequest, context: Context) -> provider_pb2.ReadResponse:
        kind, inputs = type_of(request, context), from_struct(request.inputs)
        work = self._work(context, inputs, timeout_seconds=0)
        with report_errors(context, work.secret_texts):
            found = kind.read(work, request.id, plain(inputs), plain(from_struct(request.properties)))
        if found is None:
            return provider_pb2.ReadResponse()
        kept = keep_secrets(found.inputs, like=inputs, always=kind.secret)
        return provider_pb2.ReadResponse(
            id=found.id, inputs=to_struct(kept), properties=outputs_of(kind, found, inputs)
        )

    def Delete(self, request: provider_pb2.DeleteRequest, context: Context) -> empty_pb2.Empty:
        kind, outputs = type_of(request, context), from_struct(request.properties)
        work = self._work(context, outputs, request.timeout)
        with report_errors(context, work.secret_texts):
            kind.delete(work, request.id, plain(outputs))
        return empty_pb2.Empty()

    def Cancel(self, request: empty_pb2.Empty, context: Context) -> empty_pb2.Empty:
        self.stop()
        return empty_pb2.Empty()

    def stop(self) -> None:
        """Ends every wait."""
        self._cancelled.set()

    def _api(self, context: Context) -> NomadClient:
        if self._nomad is None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the provider is not configured")
        return self._nomad

    def _work(self, context: Context, values: Values, timeout_seconds: float) -> Work:
        return Work(
            nomad=self._api(context),
            timeout_seconds=timeout_seconds,
            cancelled=self._cancelled,
            secret_texts=secret_texts(values),
        )

    def _foreseen(self, kind: ResourceType, inputs: Values, context: Context) -> Values:
        """Outputs as far as a preview can know them."""
        known: Values = {}
        if not has_unknown(inputs):
            with report_errors(context, secret_texts(inputs)):
                known = kind.foreseen(self._api(context), plain(inputs))
        return {**inputs, **dict.fromkeys(kind.computed, UNKNOWN), **known}


def client_from(configuration: Values) -> NomadClient:
    """Environment variables count where the configuration leaves a property open."""
    given = {variable: configuration[name] for name, variable in VARIABLES.items() if configuration.get(name)}
    environment = {**os.environ, **given}
    query = {"region": region} if (region := environment.get("NOMAD_REGION")) else None
    return NomadClient(nomad_endpoint(environment), query=query, retries=BRIEF, read_seconds=READ_SECONDS)


def type_of(request: HasType, context: Context) -> ResourceType:
    kind = TYPES.get(request.type)
    if kind is None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{request.type} {NOT_SERVED}; it serves {', '.join(TYPES)}")
    return kind


def outputs_of(kind: ResourceType, made: Resource, inputs: Values) -> Any:
    return to_struct(keep_secrets(made.outputs, like=inputs, always=kind.secret))


def main() -> None:
    """Serves one engine."""
    provider = NomadProvider()
    serve(lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server), provider.stop)
