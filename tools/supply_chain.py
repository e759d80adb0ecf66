"""Checks offline that packages and actions are pinned: `python -m tools.supply_chain`, a part of `nox -s lint`.

Known vulnerabilities are found by `uv audit` in .github/workflows/ci.yml, since that needs a database on the network.
Go itself refuses a module of the cluster's programs without a hash in go.sum.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
INDEX = "https://pypi.org/simple"
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_ACTION = re.compile(r"^\s*(?:- )?uses: *(\S+)", re.MULTILINE)
_COMMIT = re.compile(r"@[0-9a-f]{40}$")


def main() -> int:
    problems = [*lock_problems(ROOT / "uv.lock"), *action_problems(ROOT)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def lock_problems(lock: Path) -> Iterator[str]:
    """Names each package of uv.lock that comes from elsewhere than PyPI, and each of its files without a SHA-256."""
    packages: list[dict[str, Any]] = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    for package in packages:
        source = package["source"]
        if source == {"editable": "."}:
            continue
        if source != {"registry": INDEX}:
            yield f"uv.lock: {package['name']} comes from {source}; only {INDEX} is allowed."
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        if not files:
            yield f"uv.lock: {package['name']} has no file."
        for file in files:
            if not _SHA256.fullmatch(file.get("hash", "")):
                yield f"uv.lock: {package['name']} has a file without a SHA-256: {file.get('url')}"


def action_problems(root: Path) -> Iterator[str]:
    """Names each action of a workflow that is not pinned to a commit: a tag can be moved."""
    for workflow in sorted((root / ".github" / "workflows").glob("*.yml")):
        for action in _ACTION.findall(workflow.read_text(encoding="utf-8")):
            if not _COMMIT.search(action):
                yield f"{workflow.name}: {action} is not pinned to a commit."


if __name__ == "__main__":
    sys.exit(main())
