"""Reads the settings from environment variables, and lists every setting."""

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Meta

from upschedule.settings.groups import Settings

PREFIX = "UPSCHEDULE_"


class SettingsError(Exception):
    """Names every wrong setting at once, so that one start shows all there is to mend."""


class SettingField(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as documented: `required` ones have no default. `live` and `secret` as in `metadata`."""

    variable: str
    group: str
    name: str
    annotation: Any
    default: object
    required: bool
    description: str
    live: bool
    secret: bool
    api_only: bool

    def parse(self, text: str) -> object:
        """As a variable or a key says it. Raises msgspec.ValidationError."""
        base = typing.get_args(self.annotation)[0]
        if typing.get_origin(base) is tuple:
            return msgspec.convert([part.strip() for part in text.split(",") if part.strip()], self.annotation)
        if base is str or isinstance(base, types.UnionType):
            return msgspec.convert(text, self.annotation)
        return msgspec.convert(text, self.annotation, strict=False)


def fields(settings: type[msgspec.Struct] = Settings) -> Iterator[SettingField]:
    """Every setting, in the order of this file."""
    for group in msgspec.structs.fields(settings):
        for field in msgspec.structs.fields(group.type):
            metas = [m for m in typing.get_args(field.type)[1:] if isinstance(m, Meta)]
            yield SettingField(
                variable=f"{PREFIX}{group.name}_{field.name}".upper(),
                group=group.name,
                name=field.name,
                annotation=field.type,
                default=field.default,
                required=field.required,
                description=next((m.description for m in metas if m.description), ""),
                live=_has(metas, "live"),
                secret=_has(metas, "secret"),
                api_only=_has(metas, "api_only"),
            )


def load(environment: Mapping[str, str], *, process: str | None = None) -> Settings:
    """Raises SettingsError with a line for each variable that is wrong, unknown, or missing for this process."""
    problems: list[str] = []
    values: dict[str, dict[str, object]] = {}
    known = {field.variable: field for field in fields()}
    for variable, field in known.items():
        group = values.setdefault(field.group, {})
        text = environment.get(variable)
        if text is not None:
            try:
                group[field.name] = field.parse(text)
            except msgspec.ValidationError as error:
                problems.append(f"{variable}: {error} ({field.description})")
        elif field.required or (field.api_only and process == "api"):
            problems.append(f"{variable}: must be set ({field.description})")
    problems += [f"{name}: no such setting" for name in environment if name.startswith(PREFIX) and name not in known]
    if problems:
        raise SettingsError("\n".join(sorted(problems)))
    return msgspec.convert(values, Settings)


def _has(metas: list[Meta], name: str) -> bool:
    return any((meta.extra or {}).get(name) for meta in metas)
