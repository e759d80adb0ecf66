"""Joins several ES modules into one script, so that a page needs one request for all of them. Pure functions.

It accepts only the forms that this project uses: imports and exports of names, each on one line, without cycles.
"""

import re
from collections.abc import Mapping

_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./([\w-]+\.js)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function|const) (\w+)", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)


class CannotBundle(Exception):
    """A module has an import or an export of another form."""


def bundled(entry: str, modules: Mapping[str, str]) -> str:
    """The module `entry` with all modules that it imports, each once and before the modules that import it.

    Raises CannotBundle.
    """
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
