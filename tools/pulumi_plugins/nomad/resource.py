"""What each type of resource tells the provider of itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any, ClassVar

from tools.pulumi_plugins.nomad.api import Nomad
from tools.pulumi_plugins.nomad.values import Values


class IncompleteError(Exception):
    """The resource was made but is not as it should be; Pulumi keeps `made` in its state, so that it can be mended."""

    def __init__(self, reason: str, made: "Resource") -> None:
        super().__init__(reason)
        self.made = made


@dataclass(frozen=True, kw_only=True)
class Resource:
    """As it is in Nomad: `inputs` as a program would write them, `computed` what Nomad adds."""

    id: str
    inputs: Values
    computed: Values

    @property
    def outputs(self) -> Values:
        return {**self.inputs, **self.computed}


@dataclass(frozen=True, kw_only=True)
class Work:
    """What an operation needs. `timeout_seconds` is 0 where the program sets none."""

    nomad: Nomad
    timeout_seconds: float
    cancelled: Event
    secret_texts: set[str]


class ResourceType(ABC):
    """Values are handed over without the wrapping of secrets, and without unknown values where nothing else is said."""

    type_name: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    required: ClassVar[frozenset[str]]
    # Filled in where the program says nothing.
    defaults: ClassVar[Mapping[str, Any]] = {}
    # A change of one of them makes another resource.
    fixed: ClassVar[frozenset[str]] = frozenset()
    secret: ClassVar[frozenset[str]] = frozenset()
    # Values that Nomad adds, and those of them that no update changes.
    computed: ClassVar[frozenset[str]] = frozenset()
    stable: ClassVar[frozenset[str]] = frozenset()

    def problems(self, nomad: Nomad, inputs: Values) -> list[str]:
        """What Nomad would not take; by default nothing is asked."""
        del nomad, inputs
        return []

    def replaced(self, nomad: Nomad, old: Resource, new: Values) -> frozenset[str]:
        """The changed properties that make another resource of it; in `new` some may be unknown."""
        del nomad
        return frozenset(name for name in self.fixed if old.inputs.get(name) != new.get(name))

    def foreseen(self, nomad: Nomad, inputs: Values) -> Values:
        """Computed values that can be known before the resource is made."""
        del nomad, inputs
        return {}

    @abstractmethod
    def create(self, work: Work, inputs: Values) -> Resource:
        """Raises IncompleteError."""

    @abstractmethod
    def read(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource | None:
        """None: gone. Both mappings are empty when it is imported."""

    @abstractmethod
    def update(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource:
        """Raises IncompleteError."""

    @abstractmethod
    def delete(self, work: Work, id_: str, outputs: Values) -> None: ...


def managed(live: Values, inputs: Values) -> Values:
    """What a program should say to get `live`: all that it says now, and all that is there without its knowledge."""
    return {name: value for name, value in live.items() if name in inputs or value not in (None, "", {}, [], False)}
