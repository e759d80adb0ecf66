"""The settings that a release accepts, as JSON that travels in its manifest: `python -m upschedule.settings.schema`.

Only the release itself knows them: the checkout that deploys it may be an older or a newer one.
"""

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from upschedule.settings.loading import SettingField, fields
from upschedule.settings.urls import KINDS

_TYPES: Mapping[str, type] = {"integer": int, "number": float, "boolean": bool, "string": str}
#: Keywords of JSON Schema, and what msgspec calls them.
_BOUNDS = {
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "pattern": "pattern",
    "minLength": "min_length",
    "maxLength": "max_length",
}


class SchemaUnreadable(ValueError):
    """A release describes a setting in a form that this checkout does not know."""


class SettingDescription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The permitted values of a setting. The fields are those of `SettingField`; `schema` is JSON Schema."""

    schema: dict[str, Any]
    default: Any = None
    required: bool = False
    secret: bool = False
    api_only: bool = False
    networks: bool = False
    at_most: str | None = None
    below: str | None = None
    url: str | None = None


def describe() -> dict[str, SettingDescription]:
    """The settings of this release, by `GROUP/NAME`."""
    return {
        f"{field.group}/{field.name}": SettingDescription(
            schema={name: value for name, value in _schema(field).items() if name != "description"},
            default=None if field.required else msgspec.to_builtins(field.default),
            required=field.required,
            secret=field.secret,
            api_only=field.api_only,
            networks=field.networks,
            at_most=field.at_most,
            below=field.below,
            url=field.url,
        )
        for field in fields()
    }


def restore(descriptions: Mapping[str, SettingDescription]) -> dict[str, SettingField]:
    """The settings by variable, which parse a text as the release does. Raises SchemaUnreadable."""
    restored: dict[str, SettingField] = {}
    for name, description in descriptions.items():
        group, _, own = name.partition("/")
        variable = f"UPSCHEDULE_{group}_{own}".upper()
        restored[variable] = SettingField(
            variable=variable,
            group=group,
            name=own,
            annotation=_annotation(description.schema),
            default=description.default,
            required=description.required,
            description="",
            live=False,
            secret=description.secret,
            api_only=description.api_only,
            networks=description.networks,
            at_most=description.at_most,
            below=description.below,
            url=_known_kind(description.url),
        )
    return restored


def _known_kind(kind: str | None) -> str | None:
    if kind is not None and kind not in KINDS:
        raise SchemaUnreadable(f"the kind of URL {kind} is not known here")
    return kind


def _schema(field: SettingField) -> dict[str, Any]:
    return msgspec.json.schema(field.annotation)


def _annotation(schema: Mapping[str, Any]) -> Any:
    bounds = {_BOUNDS[name]: value for name, value in schema.items() if name in _BOUNDS}
    match schema:
        case {"type": "array", "items": items}:
            kind: Any = tuple[_annotation(items), ...]
        case {"enum": [*values]}:
            kind = Literal[tuple(values)]
        case {"anyOf": [{"type": "string", **more}, {"type": "null"}]} if not more:
            kind = str | None
        case {"type": str(name)} if name in _TYPES:
            kind = _TYPES[name]
        case _:
            raise SchemaUnreadable(f"the form {msgspec.json.encode(schema).decode()} is not known here")
    if strange := schema.keys() - {"type", "items", "enum", "anyOf", *_BOUNDS}:
        raise SchemaUnreadable(f"the bound {', '.join(sorted(strange))} is not known here")
    return Annotated[kind, Meta(**bounds)]


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(describe()).decode())
