"""Reads and validates the configuration of a stack: `pulumi config set NAME VALUE`, with `--secret` for the secrets.

Each part of the program declares a struct of settings, whose field `https_port` is `httpsPort` in the stack, and the
names of its secrets.
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

# Passwords are written to configuration files of six servers, whose rules of quoting differ.
_UNSAFE = frozenset(" \\'\"")
_DOCUMENTS = ("-----BEGIN ", "{")


class ConfigurationError(pulumi.RunError):
    """Some settings or secrets are missing or wrong; the text lists all of them."""

    def __init__(self, stack: str, problems: Mapping[str, str]) -> None:
        lines = "".join(f"\n  {name}: {problem}" for name, problem in problems.items())
        super().__init__(f"The configuration of stack {stack} cannot be used:{lines}")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The valid settings and secrets of all parts."""

    values: Mapping[str, Any]
    secrets: Mapping[str, pulumi.Output[str]]

    def of(self, settings: type[S]) -> S:
        """The settings of one part, as its own struct."""
        names = {field.encode_name for field in msgspec.structs.fields(settings)}
        return msgspec.convert({name: value for name, value in self.values.items() if name in names}, settings)


#: Validates the settings of one part together with the names of the secrets that are set; returns problems by setting.
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
    """Reads all settings and secrets. Raises ConfigurationError with all problems."""
    values, problems = read_settings(config, settings)
    found = {name: value for name in (*secrets, *optional_secrets) if (value := config.get_secret(name)) is not None}
    problems |= {name: "is missing; set it with --secret" for name in secrets if name not in found}
    unsafe = [name for name in found if not is_plain(config.get(name) or "")]
    problems |= dict.fromkeys(unsafe, "holds a space, a quote or the like; `openssl rand -hex 24` makes one without")
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
    """True for printable ASCII that needs no quoting in any server's file, and for a document in PEM or JSON."""
    if secret.startswith(_DOCUMENTS):
        return True
    return secret != "" and secret.isascii() and secret.isprintable() and _UNSAFE.isdisjoint(secret)


def read_settings(
    config: pulumi.Config, settings: Iterable[type[msgspec.Struct]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The valid values, and the problems, both by the name of the setting."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in (field for group in settings for field in msgspec.structs.fields(group)):
        text = config.get(field.encode_name)
        if text is None and field.required:
            problems[field.encode_name] = "is missing"
        elif text is not None:
            try:
                values[field.encode_name] = msgspec.convert(text, field.type, strict=False)
            except msgspec.ValidationError as reason:
                problems[field.encode_name] = f"{reason}, not {text!r}"
    return values, problems
