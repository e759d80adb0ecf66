"""Reads and validates the configuration of a stack: `pulumi config set NAME VALUE`, with `--secret` for the secrets.

Each part of the program declares a struct of settings, whose field `https_port` is `httpsPort` in the stack, and the
names of its secrets.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, get_args

import msgspec
import pulumi

from upschedule.settings.loading import unknown
from upschedule.settings.metadata import url_of
from upschedule.settings.urls import kind_of, url_problem

Megabytes = Annotated[int, msgspec.Meta(ge=16)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
#: HOST:PORT.
Address = Annotated[Text, url_of("address")]
#: With http:// or https://.
Url = Annotated[Text, url_of("page")]

S = TypeVar("S", bound=msgspec.Struct)

# Passwords are written to configuration files of six servers, whose rules of quoting differ.
_UNSAFE = frozenset(" \\'\"")
_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----\n(.+?)-----END \1-----", re.DOTALL)
#: Namespaces of keys besides the project's own: those of the provider and of Pulumi itself.
_NAMESPACES = ("nomad", "pulumi")


class ConfigurationError(pulumi.RunError):
    """Some settings or secrets are missing or wrong; the text lists all of them."""

    def __init__(self, stack: str, problems: Mapping[str, str]) -> None:
        lines = "".join(f"\n  {name}: {problem}" for name, problem in problems.items())
        super().__init__(f"The configuration of stack {stack} cannot be used:{lines}")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The valid settings and secrets of all parts; `texts` are the secrets as they are."""

    values: Mapping[str, Any]
    secrets: Mapping[str, pulumi.Output[str]]
    texts: Mapping[str, str] = field(repr=False)

    def of(self, settings: type[S]) -> S:
        """The settings of one part, as its own struct."""
        names = {field.encode_name for field in msgspec.structs.fields(settings)}
        return msgspec.convert({name: value for name, value in self.values.items() if name in names}, settings)


#: Validates the settings of one part together with the texts of the secrets that are set; returns problems by name,
#: without any text of a secret.
Check = Callable[[Any, Mapping[str, str]], Mapping[str, str]]
#: Says what is wrong with the text of a secret, without repeating it.
Form = Callable[[str], str | None]


def load(
    config: pulumi.Config,
    settings: Iterable[type[msgspec.Struct]],
    secrets: Sequence[str],
    *,
    optional_secrets: Sequence[str] = (),
    forms: Mapping[str, Form] = MappingProxyType({}),
    checks: Mapping[type[msgspec.Struct], Check] = MappingProxyType({}),
    stack: str,
) -> Configuration:
    """Reads all settings and secrets; `forms` are of secrets that are not passwords.

    Raises ConfigurationError with all problems.
    """
    groups = list(settings)
    values, problems = read_settings(config, groups)
    found = {name: value for name in (*secrets, *optional_secrets) if (value := config.get_secret(name)) is not None}
    texts = {name: config.get(name) or "" for name in found}
    problems |= {name: "is missing; set it with --secret" for name in secrets if name not in found}
    wrong = {name: forms.get(name, password_problem)(text) for name, text in texts.items()}
    problems |= {name: problem for name, problem in wrong.items() if problem is not None}
    clear = [name for name in found if not pulumi.runtime.is_config_secret(config.full_key(name))]
    problems |= dict.fromkeys(clear, "is stored in the clear; set it with --secret")
    names = [field.encode_name for group in groups for field in msgspec.structs.fields(group)]
    problems |= unknown_keys([*names, *secrets, *optional_secrets])
    configuration = Configuration(values=values, secrets=found, texts=texts)
    for group, check in checks.items():
        if not any(field.encode_name in problems for field in msgspec.structs.fields(group)):
            problems |= check(configuration.of(group), texts)
    if problems:
        raise ConfigurationError(stack, problems)
    return configuration


def unknown_keys(known: Sequence[str]) -> dict[str, str]:
    """Keys of the stack that the program does not read, be it that their name or their namespace is misspelt."""
    problems: dict[str, str] = {}
    keys = pulumi.runtime.config.CONFIG.get() or pulumi.runtime.config.get_config_env()
    for key in keys:
        namespace, _, name = key.partition(":")
        if namespace == pulumi.get_project() and name not in known:
            problems[name] = unknown(name, known)
        elif namespace not in (pulumi.get_project(), *_NAMESPACES):
            problems[key] = f"no such namespace; the program reads {pulumi.get_project()}:{name}"
    return problems


def password_problem(secret: str) -> str | None:
    """None for printable ASCII that needs no quoting in any server's file."""
    if secret != "" and secret.isascii() and secret.isprintable() and _UNSAFE.isdisjoint(secret):
        return None
    return "holds a space, a quote or the like; `openssl rand -hex 24` makes one without"


def certificate_problem(secret: str) -> str | None:
    """None for certificates in PEM."""
    return None if _holds(secret, "CERTIFICATE") else "is no certificate in PEM"


def key_problem(secret: str) -> str | None:
    """None for a private key in PEM."""
    return None if _holds(secret, "PRIVATE KEY") else "is no private key in PEM"


def _holds(text: str, label: str) -> bool:
    """True if a block of PEM has the label, and each block can be decoded."""
    blocks = _PEM_BLOCK.findall(text)
    try:
        for _, content in blocks:
            base64.b64decode("".join(content.split()), validate=True)
    except ValueError:
        return False
    return any(name == label or name.endswith(f" {label}") for name, _ in blocks)


def _url_problem(annotation: Any, text: str) -> str | None:
    kind = kind_of(get_args(annotation)[1:])
    return url_problem(kind, text) if kind else None


def read_settings(
    config: pulumi.Config, settings: Iterable[type[msgspec.Struct]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The valid values, and the problems, both by the name of the setting."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for each in (each for group in settings for each in msgspec.structs.fields(group)):
        text = config.get(each.encode_name)
        if text is None and each.required:
            problems[each.encode_name] = "is missing"
        elif text is not None and text != each.default and (problem := _url_problem(each.type, text)):
            problems[each.encode_name] = f"{problem}, not {text!r}"
        elif text is not None:
            try:
                values[each.encode_name] = msgspec.convert(text, each.type, strict=False)
            except msgspec.ValidationError as reason:
                problems[each.encode_name] = f"{reason}, not {text!r}"
    return values, problems
