"""Prints which resource plugins the installed packages need; run by the interpreter of a Pulumi program."""

import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path

DECLARATION = "pulumi-plugin.json"


def needed() -> Iterator[dict[str, str]]:
    for distribution in importlib.metadata.distributions():
        for file in distribution.files or ():
            if file.name == DECLARATION:
                plugin = json.loads(Path(file.locate()).read_text(encoding="utf-8"))
                if plugin.get("resource"):
                    version = plugin.get("version") or distribution.version
                    yield {"name": plugin["name"], "version": version, "server": plugin.get("server") or ""}


if __name__ == "__main__":
    print(json.dumps(list(needed())))
