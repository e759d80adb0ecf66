"""Runs parts of the program on Pulumi's own mocks, and remembers what they asked the engine for."""

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import Stack

PROJECT = "upschedule"
STACK = "dev"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Made:
    """A resource as it was asked for.

    `secret` are the inputs that the engine encrypts; `after` are those that exist first, by type and name. The engine
    refuses to remove what is `protected`.
    """

    type: str
    name: str
    inputs: dict[str, Any]
    secret: frozenset[str]
    after: frozenset[tuple[str, str]]
    protected: bool


@dataclass(frozen=True, kw_only=True)
class Ran(Generic[T]):
    """`outputs` are the stack's, `secret` the names of those that the engine encrypts."""

    resources: list[Made] = field(default_factory=list[Made])
    results: list[T] = field(default_factory=list[T])
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    secret: set[str] = field(default_factory=set[str])

    @property
    def result(self) -> T:
        """What the program returned, as it is after all resources were made."""
        (result,) = self.results
        return result

    def of(self, kind: str) -> dict[str, Made]:
        """The resources of this kind, by name."""
        return {made.name: made for made in self.resources if made.type.rpartition(":")[2] == kind}

    @property
    def jobs(self) -> dict[str, Made]:
        return self.of("Job")

    @property
    def items(self) -> dict[str, dict[str, str]]:
        """The items of each Nomad Variable, by its path."""
        return {made.inputs["path"]: made.inputs["items"] for made in self.of("Variable").values()}

    def variables(self, job: str) -> dict[str, str]:
        """What the job's file is given."""
        return self.jobs[job].inputs["hcl2"]["vars"]


class Monitor(MockMonitor):
    """Sees the request itself: mocks do not get the secrets and the dependencies."""

    def __init__(self, mocks: Mocks, made: list[Made]) -> None:
        super().__init__(mocks)
        self._made = made

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:  # noqa: N802 - gRPC's name
        inputs = rpc.deserialize_properties(request.object)
        made = Made(
            type=request.type,
            name=request.name,
            inputs={name: rpc.unwrap_rpc_secret(value) for name, value in inputs.items()},
            secret=frozenset(name for name, value in inputs.items() if rpc.is_rpc_secret(value)),
            after=frozenset(_type_and_name(urn) for urn in request.dependencies),
            protected=request.protect,
        )
        self._made.append(made)
        with asyncio.Runner() as runner:
            runner.get_loop()  # Else Pulumi makes one in each thread that answers, and leaves it open.
            response = super().RegisterResource(request)
        for name, value in rpc.deserialize_properties(response.object).items():
            if name in request.additionalSecretOutputs and not rpc.is_rpc_secret(value):
                response.object[name] = rpc.wrap_rpc_secret(value)
        return response


class Answers(Mocks):
    """What Nomad would add: the secret of a token."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        added = {"secretId": token_of(args.name)} if args.typ == "nomad:index/aclToken:AclToken" else {}
        return args.name, {**args.inputs, **added}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"The program asks for {args.token}.")


def token_of(name: str) -> str:
    return f"token-of-{name}"


def run(program: Callable[[], pulumi.Input[T]], *, into: Ran[T] | None = None) -> Ran[T]:
    """In a context of its own: Pulumi keeps its state in context variables. `into` has the rest after an error, too."""
    ran = into or Ran[T]()
    contextvars.copy_context().run(_run, program, ran)
    return ran


def _run(program: Callable[[], pulumi.Input[T]], ran: Ran[T]) -> None:
    mocks = Answers()
    with asyncio.Runner() as runner:
        runner.get_loop()  # Becomes the thread's, where Pulumi looks for it.
        pulumi.runtime.set_mocks(mocks, PROJECT, STACK, monitor=Monitor(mocks, ran.resources))

        @pulumi.runtime.test
        def watched() -> pulumi.Output[Any]:
            result = pulumi.Output.from_input(program()).apply(ran.results.append)
            return pulumi.Output.all(result, _exported(ran))

        watched()


def _exported(ran: Ran[Any]) -> pulumi.Output[Any]:
    stack = pulumi.runtime.get_root_resource()
    assert isinstance(stack, Stack)

    async def note() -> None:
        for name, value in stack.outputs.items():
            output = pulumi.Output.from_input(value)
            ran.outputs[name] = await output.future()
            if await output.is_secret():
                ran.secret.add(name)

    return pulumi.Output.from_input(note())


def _type_and_name(urn: str) -> tuple[str, str]:
    *_, types, name = urn.split("::")
    return types.rpartition(":")[2], name
