"""Compares two sets of inputs, in the form that Pulumi shows."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from pulumi.runtime.proto import provider_pb2

from tools.pulumi_plugins.nomad.values import Values, plain

Kind = provider_pb2.PropertyDiff


def difference(old: Values, new: Values, *, replaced: AbstractSet[str]) -> provider_pb2.DiffResponse:
    """Secrets are compared by what they hold. `replaced`: the properties whose change makes another resource."""
    before, after = plain(old), plain(new)
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    detailed = {
        path: Kind(kind=kind_of(had, has, replaces=name in replaced), inputDiff=True)
        for name in changed
        for path, had, has in leaves(name, before.get(name), after.get(name))
    }
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=changed,
        replaces=sorted(replaced & set(changed)),
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


def leaves(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """The changed entries of mappings by their paths; anything else as a whole."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        yield path, old, new
        return
    for name in {*old, *new}:
        if old.get(name) != new.get(name):
            yield from leaves(f'{path}["{name}"]', old.get(name), new.get(name))


def kind_of(old: Any, new: Any, *, replaces: bool) -> provider_pb2.PropertyDiff.Kind.ValueType:
    if old is None:
        return Kind.ADD_REPLACE if replaces else Kind.ADD
    if new is None:
        return Kind.DELETE_REPLACE if replaces else Kind.DELETE
    return Kind.UPDATE_REPLACE if replaces else Kind.UPDATE
