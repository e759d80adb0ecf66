"""The settings in force: the environment's, overridden by Consul's keys. Pure functions."""

from collections.abc import Iterable, Mapping

import msgspec

from upschedule.calendars.years import InvalidAcademicYear, parse_year
from upschedule.settings import Settings
from upschedule.settings.loading import SettingField, fields, unknown
from upschedule.stores.consul import KeyValue

#: Below it, `GROUP/NAME` is a setting, and `academic_years/YEAR` the dates of a year.
SETTINGS_PREFIX = "upschedule/settings/"
YEARS_PREFIX = f"{SETTINGS_PREFIX}academic_years/"
#: Every setting that may change while processes run, by its key.
LIVE: Mapping[str, SettingField] = {
    f"{SETTINGS_PREFIX}{field.group}/{field.name}": field for field in fields() if field.live
}


class ValueRefused(Exception):
    """This key or its value is not one that a process takes; the sentence says why."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A setting whose value changed. `modify_index` is None where its key was deleted."""

    key: str
    old: object
    new: object
    modify_index: int | None


class KeyRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was ignored, and why."""

    key: str
    reason: str
    modify_index: int


def key_of(name: str) -> str:
    """The whole key of `GROUP/NAME`; a whole key stays as it is."""
    return name if name.startswith(SETTINGS_PREFIX) else f"{SETTINGS_PREFIX}{name}"


def read_key(key: str, value: bytes) -> object:
    """Parses the value as a process does. Raises ValueRefused."""
    if not key.startswith(YEARS_PREFIX):
        return read_setting(key, value)
    try:
        return parse_year(key.removeprefix(YEARS_PREFIX), value)
    except InvalidAcademicYear as error:
        raise ValueRefused(str(error)) from error


def read_setting(key: str, value: bytes) -> object:
    """Parses the value of the setting that the key names. Raises ValueRefused."""
    if (field := LIVE.get(key)) is None:
        raise ValueRefused(_unknown(key))
    try:
        return field.parse(value.decode().strip())
    except (UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ValueRefused(f"{error} ({field.description})") from error


class LiveSettings:
    """The latest settings, replaced atomically."""

    def __init__(self, base: Settings) -> None:
        self._base = base
        self._overrides: dict[str, object] = {}
        self._latest = base

    @property
    def current(self) -> Settings:
        """The latest. They are immutable: read them once to get a consistent set of values."""
        return self._latest

    @property
    def overrides(self) -> Mapping[str, object]:
        """Values that come from Consul, by key."""
        return self._overrides

    def apply(self, entries: Iterable[KeyValue]) -> tuple[list[Change], list[KeyRefused]]:
        """A refused key keeps its last good value; one that is no longer there gives way to the environment's."""
        found = {entry.key: entry for entry in entries}
        overrides: dict[str, object] = {}
        refused: list[KeyRefused] = []
        for key, entry in found.items():
            try:
                overrides[key] = read_setting(key, entry.value)
            except ValueRefused as error:
                refused.append(KeyRefused(key=key, reason=str(error), modify_index=entry.modify_index))
                if key in self._overrides:
                    overrides[key] = self._overrides[key]
        before, self._overrides, self._latest = self._latest, overrides, _with(self._base, overrides)
        return _changes(before, self._latest, found), refused


def _with(base: Settings, overrides: Mapping[str, object]) -> Settings:
    groups: dict[str, dict[str, object]] = {}
    for key, value in overrides.items():
        groups.setdefault(LIVE[key].group, {})[LIVE[key].name] = value
    changed = {name: msgspec.structs.replace(getattr(base, name), **values) for name, values in groups.items()}
    return msgspec.structs.replace(base, **changed)


def _changes(before: Settings, after: Settings, found: Mapping[str, KeyValue]) -> list[Change]:
    changes: list[Change] = []
    for key, field in LIVE.items():
        old, new = (getattr(getattr(settings, field.group), field.name) for settings in (before, after))
        if old != new:
            index = found[key].modify_index if key in found else None
            changes.append(Change(key=key, old=old, new=new, modify_index=index))
    return changes


def _unknown(key: str) -> str:
    group, _, name = key.removeprefix(SETTINGS_PREFIX).partition("/")
    fixed = next((field for field in fields() if (field.group, field.name) == (group, name)), None)
    if fixed is None:
        return unknown(key, [*LIVE, f"{YEARS_PREFIX}YEAR"])
    return f"read once at start: set {fixed.variable} and start the processes again"
