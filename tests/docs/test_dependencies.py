"""Every direct dependency has a line in docs/dependencies.md that says why it is here."""

import re
import tomllib

from tests.support.paths import ROOT

NAME = re.compile(r"^[A-Za-z0-9_.-]+")


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"].values()
    wanted = project["project"]["dependencies"] + [item for group in groups for item in group if isinstance(item, str)]
    return {match.group() for item in wanted if (match := NAME.match(item))}


def test_the_page_explains_each_direct_dependency_and_no_other() -> None:
    """A dependency without a reason is removed, and a removed dependency leaves the page."""
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^- `([^`]+)`: \S", text, flags=re.MULTILINE))

    assert explained == _declared()
