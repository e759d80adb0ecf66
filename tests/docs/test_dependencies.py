"""Every direct dependency has a line in the README that says why it is here."""

import re
import tomllib

from tests.support.paths import ROOT

NAME = re.compile(r"^[A-Za-z0-9_.-]+")


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"].values()
    wanted = project["project"]["dependencies"] + [item for group in groups for item in group if isinstance(item, str)]
    return {match.group() for item in wanted if (match := NAME.match(item))}


def test_readme_explains_each_direct_dependency_and_no_other() -> None:
    """A dependency that nobody can justify is removed; one that is gone leaves the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^- `([^`]+)`: \S", text, flags=re.MULTILINE))

    assert explained == _declared()
