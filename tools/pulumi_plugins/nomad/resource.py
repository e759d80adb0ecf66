"""The interface of a resource type, and the data that its operations use."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any, ClassVar

from tools.pulumi_plugins.nomad.values import Values
from upschedule.deploy.errors import ServerError
from upschedule.deploy.nomad import NomadClient


class ResourceError(Exception):
    """Nomad accepted the request, but the resource did not become what the program describes."""


#: What an operation on a resource may raise; the text is for the operator.
FAILURES = (ServerError, ResourceError)


class IncompleteError(Exception):
    """The resource exists, but not as the program wants it. Pulumi records it, so that a later run mends it."""

    def __init__(self, reason: str, resource: "Resource") -> None:
        super().__init__(reason)
        self.resource = resource


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource in Nomad: `inputs` as a program would write them, `computed` the values that Nomad adds."""

    id: str
    inputs: Values
    computed: Values

    @property
    def outputs(self) -> Values:
        return {**self.inputs, **self.computed}


@dataclass(frozen=True, kw_only=True)
class Work:
    """Arguments of every operation. `timeout_seconds` is 0 if the program sets none."""

    nomad: NomadClient
    timeout_seconds: float
    cancelled: Event
    secret_texts: set[str]


class ResourceType(ABC):
    """A type of resource. Values come without the wrapping of secrets, and without unknown values unless stated."""

    type_name: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    required: ClassVar[frozenset[str]]
    # Values of properties that the program does not set.
    defaults: ClassVar[Mapping[str, Any]] = {}
    # A change of one of these replaces the resource.
    fixed: ClassVar[frozenset[str]] = frozenset()
    secret: ClassVar[frozenset[str]] = frozenset()
    # Values that Nomad adds, and those among them that no update changes.
    computed: ClassVar[frozenset[str]] = frozenset()
    stable: ClassVar[frozenset[str]] = frozenset()

    def problems(self, nomad: NomadClient, inputs: Values) -> list[str]:
        """Reasons for which Nomad would refuse these inputs; the default asks nothing."""
        del nomad, inputs
        return []

    def replaced(self, nomad: NomadClient, old: Resource, new: Values) -> frozenset[str]:
        """The changed properties that replace the resource; some values of `new` may be unknown."""
        del nomad
        return frozenset(name for name in self.fixed if old.inputs.get(name) != new.get(name))

    def foreseen(self, nomad: NomadClient, inputs: Values) -> Values:
        """Computed values that are known before the resource exists."""
        del nomad, inputs
        return {}

    @abstractmethod
    def create(self, work: Work, inputs: Values) -> Resource:
        """Raises IncompleteError."""

    @abstractmethod
    def read(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource | None:
        """None: it does not exist any more. Both mappings are empty for an import."""

    @abstractmethod
    def update(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource:
        """Raises IncompleteError."""

    @abstractmethod
    def delete(self, work: Work, id_: str, outputs: Values) -> None: ...


def managed(live: Values, inputs: Values) -> Values:
    """The inputs that describe `live`: all that the program sets, and all others that are not empty."""
    return {name: value for name, value in live.items() if name in inputs or value not in (None, "", {}, [], False)}
