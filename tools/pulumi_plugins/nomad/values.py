"""Property values as Pulumi sends them: plain JSON, but for secrets, which are wrapped, and values not known yet."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2
from pulumi.runtime.rpc import UNKNOWN

# Pulumi's protocol: an object with this key is of the type that the value names.
TYPE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_TYPE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the name of a type, public

Values = dict[str, Any]


def from_struct(struct: struct_pb2.Struct) -> Values:
    """Secrets stay wrapped."""
    return json_format.MessageToDict(struct)


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def secret(value: Any) -> Values:
    return {TYPE_KEY: SECRET_TYPE, "value": value}


def is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(TYPE_KEY) == SECRET_TYPE


def plain(value: Any) -> Any:
    """The value without the wrapping that marks secrets."""
    if is_secret(value):
        return plain(value["value"])
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def walk(value: Any) -> Iterator[Any]:
    """The value and everything inside it."""
    yield value
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        yield from walk(item)


def has_secret(value: Any) -> bool:
    return any(map(is_secret, walk(value)))


def has_unknown(value: Any) -> bool:
    return UNKNOWN in walk(value)


def secret_texts(value: Any) -> set[str]:
    """Every text inside a secret, so that a message can be cleaned of it."""
    inside = (part for item in walk(value) if is_secret(item) for part in walk(item["value"]))
    return {part for part in inside if isinstance(part, str) and part}


def keep_secrets(values: Values, *, like: Values, always: Collection[str]) -> Values:
    """`values` with what is a secret in `like`, or is named in `always`, wrapped again."""
    kept: Values = {}
    for key, value in values.items():
        known = like.get(key)
        if has_secret(known):
            kept[key] = known if plain(known) == value else secret(value)
        else:
            kept[key] = secret(value) if key in always and value is not None else value
    return kept
