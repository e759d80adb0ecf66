"""Reads what a stack sets: `pulumi config set NAME VALUE`, with `--secret` for the secrets.

Each part of the program says what it needs: a struct of settings, whose field `public_port` is `publicPort` in the
stack, and the names of its secrets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
import pulumi

Megabytes = Annotated[int, msgspec.Meta(ge=16)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Text = Annotated[str, msgspec.Meta(min_length=1)]

S = TypeVar("S", bound=msgspec.Struct)


class ConfigurationError(pulumi.RunError):
    """Lists everything that is missing or wrong."""

    def __init__(self, stack: str, problems: Mapping[str, str]) -> None:
        lines = "".join(f"\n  {name}: {problem}" for name, problem in problems.items())
        super().__init__(f"The configuration of stack {stack} cannot be used:{lines}")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """All that the parts asked for."""

    values: Mapping[str, Any]
    secrets: Mapping[str, pulumi.Output[str]]

    def of(self, settings: type[S]) -> S:
        """One part's settings."""
        names = {field.encode_name for field in msgspec.structs.fields(settings)}
        return msgspec.convert({name: value for name, value in self.values.items() if name in names}, settings)


def load(
    config: pulumi.Config, settings: Iterable[type[msgspec.Struct]], secrets: Sequence[str], *, stack: str
) -> Configuration:
    """Raises ConfigurationError."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in (field for group in settings for field in msgspec.structs.fields(group)):
        given = config.get(field.encode_name)
        if given is None and field.required:
            problems[field.encode_name] = "is missing"
        elif given is not None:
            try:
                values[field.encode_name] = msgspec.convert(given, field.type, strict=False)
            except msgspec.ValidationError as reason:
                problems[field.encode_name] = f"{reason}, not {given!r}"
    found = {name: secret for name in secrets if (secret := config.get_secret(name)) is not None}
    problems |= {name: "is missing; set it with --secret" for name in secrets if name not in found}
    if problems:
        raise ConfigurationError(stack, problems)
    return Configuration(values=values, secrets=found)
