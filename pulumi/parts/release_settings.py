"""Checks the application settings of a stack against those that its release accepts.

The manifest says it, so that a release that is older or newer than this checkout is asked for what it knows itself.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from upschedule.operations.release.manifest import Manifest
from upschedule.settings.loading import PREFIX, SettingField, read
from upschedule.settings.schema import SchemaUnreadable, restore

V = TypeVar("V")
#: None: a release that was packed before manifests had settings.
Accepted = Mapping[str, SettingField] | None


def accepted_settings(manifest: Manifest) -> Accepted:
    """The settings that the release accepts, by variable. Raises SchemaUnreadable."""
    return None if manifest.settings is None else restore(manifest.settings)


def known_only(values: Mapping[str, V], accepted: Accepted) -> dict[str, V]:
    """Leaves out the program's variables that the release does not know.

    An older release would refuse to start with them. Unknown variables of the operator are not left out but refused.
    """
    return {
        name: value
        for name, value in values.items()
        if accepted is None or name in accepted or not name.startswith(PREFIX)
    }


def setting_problems(
    accepted: Mapping[str, SettingField],
    *,
    chosen: Mapping[str, str],
    derived: Mapping[str, str],
    secret: Mapping[str, str],
    provided: frozenset[str],
    sources: Mapping[str, str],
) -> dict[str, str]:
    """What is wrong, by the name in the stack.

    `chosen` are the variables that the stack sets, `derived` those that the program makes of keys, which `sources`
    names, and `secret` those that hold a secret of the stack. `provided` are others that a process is given.
    """
    wanted = {name: value for name, value in derived.items() if name in accepted or name in sources}
    environment = {**wanted, **known_only(secret, accepted), **chosen}
    _, problems = read(environment, accepted)
    for name in chosen:
        if not name.startswith(PREFIX):
            problems[name] = f"is no setting: the names begin with {PREFIX}"
        elif name in accepted and accepted[name].secret:
            problems[name] = "is a secret, which all who may read jobs would see; the program sets it"
    for name, field in accepted.items():
        if field.required and name not in environment and name not in provided:
            problems[name] = "must be set: the release does not start without it"
    return {_stack_name(name, chosen, sources): problem for name, problem in problems.items()}


def _stack_name(variable: str, chosen: Mapping[str, str], sources: Mapping[str, str]) -> str:
    return f"settings.{variable}" if variable in chosen else sources.get(variable, f"settings.{variable}")


def manifest_problem(text: str) -> str | None:
    """Why the text is no manifest that this checkout can deploy."""
    try:
        accepted_settings(msgspec.json.decode(text, type=Manifest))
    except msgspec.DecodeError as error:
        return f"is no manifest that `upschedule release` prints: {error}"
    except SchemaUnreadable as error:
        return f"was packed by a newer checkout, use its program: {error}"
    return None
