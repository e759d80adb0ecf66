"""Reads the settings from environment variables, and lists every setting."""

import difflib
import ipaddress
import math
import operator
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Meta

from upschedule.settings.groups import Settings
from upschedule.settings.urls import kind_of, url_problem

PREFIX = "UPSCHEDULE_"
#: Of `difflib`: below it, a name is no help.
_SIMILARITY_MIN = 0.6


class SettingsError(Exception):
    """Names every wrong setting at once, so that one start shows all there is to mend."""


class SettingField(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as documented: `required` ones have no default. The last seven are as in `metadata`."""

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
    networks: bool
    at_most: str | None
    below: str | None
    url: str | None

    def parse(self, text: str) -> object:
        """Parses the text of a variable or a key. Raises msgspec.ValidationError, which never shows a secret's text."""
        base = typing.get_args(self.annotation)[0]
        is_list = typing.get_origin(base) is tuple
        items = [part.strip() for part in text.split(",") if part.strip()] if is_list else [text]
        # A default may be empty where no URL is needed.
        if self.url and text != self.default:
            _ensure_urls(self.url, items)
        if is_list:
            if self.networks:
                _ensure_networks(items)
            return msgspec.convert(items, self.annotation)
        if base is str or isinstance(base, types.UnionType):
            return msgspec.convert(text, self.annotation)
        value = msgspec.convert(text, self.annotation, strict=False)
        if isinstance(value, float) and not math.isfinite(value):
            raise msgspec.ValidationError("Expected a finite number")
        return value


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
                live=_extra(metas, "live") is not None,
                secret=_extra(metas, "secret") is not None,
                api_only=_extra(metas, "api_only") is not None,
                networks=_extra(metas, "networks") is not None,
                at_most=_extra(metas, "at_most"),
                below=_extra(metas, "below"),
                url=kind_of(metas),
            )


def load(environment: Mapping[str, str], *, process: str | None = None) -> Settings:
    """Raises SettingsError with a line for each variable that is wrong, unknown, or missing for this process."""
    known = {field.variable: field for field in fields()}
    values, problems = read(environment, known)
    for variable, field in known.items():
        # Other processes may be given an empty one.
        lacks_own = field.api_only and process == "api" and not environment.get(variable)
        if lacks_own or (field.required and variable not in environment):
            problems[variable] = f"must be set ({field.description})"
    if problems:
        raise SettingsError("\n".join(sorted(f"{name}: {problem}" for name, problem in problems.items())))
    groups: dict[str, dict[str, object]] = {group.name: {} for group in msgspec.structs.fields(Settings)}
    for variable, value in values.items():
        groups[known[variable].group][known[variable].name] = value
    return msgspec.convert(groups, Settings)


def read(environment: Mapping[str, str], known: Mapping[str, SettingField]) -> tuple[dict[str, object], dict[str, str]]:
    """The values of the known settings that are set, and what is wrong with any variable of ours, both by variable."""
    values: dict[str, object] = {}
    problems: dict[str, str] = {}
    for variable, text in environment.items():
        if (field := known.get(variable)) is not None:
            try:
                values[variable] = field.parse(text)
            except msgspec.ValidationError as error:
                problems[variable] = f"{error} ({field.description})" if field.description else str(error)
        elif variable.startswith(PREFIX):
            problems[variable] = unknown(variable, known)
    return values, problems | _too_large(values, known)


def unknown(name: str, known: Iterable[str]) -> str:
    """Describes an unknown name, with the most similar known one."""
    names = list(known)
    # A prefix that all of them have would make every name similar to every other.
    letters = enumerate(zip(name, *names, strict=False))
    shared = next((place for place, alike in letters if len(set(alike)) > 1), 0)
    nearest = difflib.get_close_matches(name[shared:], [each[shared:] for each in names], n=1, cutoff=_SIMILARITY_MIN)
    return f"no such setting; the nearest is {name[:shared]}{nearest[0]}" if nearest else "no such setting"


def _too_large(values: Mapping[str, object], known: Mapping[str, SettingField]) -> dict[str, str]:
    """Settings that are above one that bounds them, or not below it, be it set or a default."""
    problems: dict[str, str] = {}
    for variable, field in known.items():
        for bound_name, wrong, words in (
            (field.at_most, operator.gt, "above"),
            (field.below, operator.ge, "not below"),
        ):
            bound = variable.removesuffix(field.name.upper()) + (bound_name or "").upper()
            if bound_name is None or not {variable, bound} & values.keys():
                continue
            value, most = (values.get(name, known[name].default) for name in (variable, bound))
            if isinstance(value, int | float) and isinstance(most, int | float) and wrong(value, most):
                problems[variable] = f"is {value}, {words} {bound}, which is {most}"
    return problems


def _ensure_networks(items: Iterable[str]) -> None:
    for item in items:
        try:
            ipaddress.ip_network(item)
        except ValueError as error:
            raise msgspec.ValidationError(f"{error}; a network is written as in 10.0.0.0/24") from error


def _ensure_urls(kind: str, items: Iterable[str]) -> None:
    for item in items:
        if problem := url_problem(kind, item):
            raise msgspec.ValidationError(problem)


def _extra(metas: list[Meta], name: str) -> Any:
    return next((meta.extra[name] for meta in metas if meta.extra and name in meta.extra), None)
