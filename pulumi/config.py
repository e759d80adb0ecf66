"""Reads what a stack sets: `pulumi config set NAME VALUE`, with `--secret` for the secrets.

Each part of the program says what it needs: a struct of settings, whose field `https_port` is `httpsPort` in the
stack, and the names of its secrets.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import msgspec
import pulumi

Megabytes = Annotated[int, msgspec.Meta(ge=16)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Text = Annotated[str, msgspec.Meta(min_length=1)]

S = TypeVar("S", bound=msgspec.Struct)

# A password stands in the files of six servers, each of which quotes in a way of its own.
_MISREAD = frozenset(" \\'\"")
_DOCUMENTS = ("-----BEGIN ", "{")


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


#: What is wrong with settings and the names of the secrets that are set, taken together.
Check = Callable[[Any, Collection[str]], Mapping[str, str]]


def load(
    config: pulumi.Config,
    settings: Iterable[type[msgspec.Struct]],
    secrets: Sequence[str],
    *,
    optional_secrets: Sequence[str] = (),
    checks: Mapping[type[msgspec.Struct], Check] = MappingProxyType({}),
    stack: str,
) -> Configuration:
    """Raises ConfigurationError."""
    values, problems = read(config, settings)
    found = {name: value for name in (*secrets, *optional_secrets) if (value := config.get_secret(name)) is not None}
    problems |= {name: "is missing; set it with --secret" for name in secrets if name not in found}
    misread = [name for name in found if not is_plain(config.get(name) or "")]
    problems |= dict.fromkeys(misread, "holds a space, a quote or the like; `openssl rand -hex 24` makes one without")
    clear = [name for name in found if not pulumi.runtime.is_config_secret(config.full_key(name))]
    problems |= dict.fromkeys(clear, "stands in the clear; set it with --secret")
    configuration = Configuration(values=values, secrets=found)
    for group, check in checks.items():
        if not any(field.encode_name in problems for field in msgspec.structs.fields(group)):
            problems |= check(configuration.of(group), found)
    if problems:
        raise ConfigurationError(stack, problems)
    return configuration


def is_plain(secret: str) -> bool:
    """Printable ASCII that no server's file reads as something else, or a document: PEM or JSON."""
    if secret.startswith(_DOCUMENTS):
        return True
    return secret != "" and secret.isascii() and secret.isprintable() and _MISREAD.isdisjoint(secret)


def read(config: pulumi.Config, settings: Iterable[type[msgspec.Struct]]) -> tuple[dict[str, Any], dict[str, str]]:
    """What is set, and what is missing or wrong."""
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
    return values, problems
