"""Joins several ES modules into one script, so that a page waits for one request. Pure functions.

A module is as this project writes them: imports and exports of names, each on one line, and no cycle.
"""

import re
from collections.abc import Mapping

_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./([\w-]+\.js)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function|const) (\w+)", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)


class CannotBundle(Exception):
    """A module imports or exports in another way than is known here."""


def bundled(entry: str, modules: Mapping[str, str]) -> str:
    """The module `entry` with all that it imports, each once, after what it imports itself. Raises CannotBundle."""
    parts: dict[str, str] = {}
    _add(entry, modules, parts, within=())
    return "\n".join(parts.values())


def _add(name: str, modules: Mapping[str, str], parts: dict[str, str], *, within: tuple[str, ...]) -> None:
    if name in within:
        raise CannotBundle(f"{' -> '.join((*within, name))} is a cycle")
    text = modules[name]
    for _, imported in _IMPORT.findall(text):
        if imported not in parts:
            _add(imported, modules, parts, within=(*within, name))
    exported = ", ".join(found for _, found in _EXPORT.findall(text))
    body = _EXPORT.sub(r"\1 \2", _IMPORT.sub(lambda found: f"const {{ {found[1]} }} = {_variable(found[2])};", text))
    if left := _LEFT.search(body):
        raise CannotBundle(f"{name}: {left.group()}")
    # A scope of its own, as a module has one.
    parts[name] = f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();"


def _variable(name: str) -> str:
    return "$" + name.removesuffix(".js").replace("-", "_")
