"""Draws every diagram of the pages with Mermaid, offline. A diagram with a mistake would be shown as an error."""

import re
from pathlib import Path

import mermaidx
import pytest

from tests.support.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def diagrams() -> list[tuple[Path, str]]:
    """Each diagram with the page that contains it."""
    return [(page, source) for page in PAGES for source in DIAGRAM.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("source", [pytest.param(source, id=page.name) for page, source in diagrams()])
def test_a_diagram_can_be_drawn(source: str) -> None:
    """Mermaid parses it and computes its layout."""
    assert mermaidx.render(source).svg().startswith("<svg")


def test_the_pages_have_the_diagrams_that_the_index_promises() -> None:
    """Without this test, a change of the marks around diagrams would leave none to draw."""
    found = [page.relative_to(ROOT).as_posix() for page, _ in diagrams()]

    assert found.count("docs/diagrams.md") >= 3
    assert {"README.md", "docs/job-states.md"} <= set(found)


@pytest.mark.parametrize("source", ["flowchart LR\n    a[x] --> \n", "sequenceDiagram\n    A->>B\n", "no diagram\n"])
def test_a_diagram_with_a_mistake_is_refused(source: str) -> None:
    """The control: Mermaid reports the mistake."""
    with pytest.raises(RuntimeError, match=r"Parse error|No diagram type"):
        mermaidx.render(source).svg()
