"""What a stack may set: `pulumi config set NAME VALUE`, with `--secret` for the secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import pulumi

Megabytes = Annotated[int, msgspec.Meta(ge=16)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Text = Annotated[str, msgspec.Meta(min_length=1)]

SECRETS = ("redisStatePassword", "redisCachePassword", "traefikConsulToken")


class ConfigurationError(pulumi.RunError):
    """Lists everything that is missing or wrong."""

    def __init__(self, stack: str, problems: Mapping[str, str]) -> None:
        lines = "".join(f"\n  {name}: {problem}" for name, problem in problems.items())
        super().__init__(f"The configuration of stack {stack} cannot be used:{lines}")


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Paths are those that a task sees on a node."""

    namespace: Text = "upschedule"
    datacenters: Text = "*"
    # Who tasks run as; an unprivileged user of the nodes.
    user: Text
    redis_program: Text
    redis_state_volume: Text
    redis_state_memory_mb: Megabytes = 1024
    redis_cache_memory_mb: Megabytes = 2048
    traefik_program: Text
    public_port: Port = 443
    consul_address: Text = "127.0.0.1:8500"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """`secrets` by their names in SECRETS."""

    settings: Settings
    secrets: Mapping[str, pulumi.Output[str]]


def load(config: pulumi.Config, *, stack: str) -> Configuration:
    """Raises ConfigurationError."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in msgspec.structs.fields(Settings):
        given = config.get(field.encode_name)
        if given is None and field.required:
            problems[field.encode_name] = "is missing"
        elif given is not None:
            try:
                values[field.encode_name] = msgspec.convert(given, field.type, strict=False)
            except msgspec.ValidationError as reason:
                problems[field.encode_name] = f"{reason}, not {given!r}"
    secrets = {name: secret for name in SECRETS if (secret := config.get_secret(name)) is not None}
    problems |= {name: "is missing; set it with --secret" for name in SECRETS if name not in secrets}
    if problems:
        raise ConfigurationError(stack, problems)
    return Configuration(settings=msgspec.convert(values, Settings), secrets=secrets)
