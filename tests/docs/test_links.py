"""Links between the pages lead to files and headings that exist, and links lead to every page."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

START = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
CODE_SPAN = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\((?P<path>[^)\s#]*)(?:#(?P<anchor>[^)\s]+))?\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
LINK_TEXT = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def anchors(text: str) -> set[str]:
    """The anchors that a forge gives to the headings of a page: equal headings are numbered."""
    seen: Counter[str] = Counter()
    found: set[str] = set()
    for heading in HEADING.findall(CODE_BLOCK.sub("", text)):
        words = LINK_TEXT.sub(r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """The file or folder and the anchor of each link to the repository; code is no link."""
    text = CODE_SPAN.sub("", CODE_BLOCK.sub("", page.read_text(encoding="utf-8")))
    for match in LINK.finditer(text):
        if not re.match(r"[a-z]+:", match["path"]):
            yield (page.parent / match["path"]).resolve() if match["path"] else page, match["anchor"] or ""


def dead_links(page: Path) -> list[str]:
    """Each link of the page whose file or heading is missing."""
    return [
        f"{target.name}#{anchor}"
        for target, anchor in links(page)
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8")))
    ]


def reachable(start: Path) -> set[Path]:
    """All pages that a reader finds from `start`; a forge shows the index of a linked folder, or all of its pages."""
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        page = waiting.pop()
        if page.is_dir():
            index = page / "README.md"
            waiting.extend([index] if index.exists() else page.glob("*.md"))
        elif page.suffix == ".md" and page.exists() and page not in found:
            found.add(page)
            waiting.extend(target for target, _ in links(page))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    """A renamed page or heading is renamed in every link."""
    assert dead_links(page) == []


def test_every_page_is_found_from_the_readme() -> None:
    """A page without a link to it is a page that no reader finds."""
    assert set(PAGES) - reachable(START) == set()


def test_the_index_has_every_page_of_the_documentation() -> None:
    """Runbooks and decisions have an index each."""
    for folder in ("", "runbooks", "decisions"):
        index = ROOT / "docs" / folder / "README.md"
        assert set(index.parent.glob("*.md")) - {target for target, _ in links(index)} == {index}


def test_a_dead_link_and_an_orphan_are_found(tmp_path: Path) -> None:
    """The control: what the other tests look for does not pass."""
    page, other = tmp_path / "README.md", tmp_path / "other.md"
    page.write_text(
        "# One\n[a](other.md#two) [b](other.md#three) [c](gone.md) [d](#one) `[e](gone.md)`\n", encoding="utf-8"
    )
    other.write_text("# Two\n```\n# three\n```\n", encoding="utf-8")
    orphan = tmp_path / "orphan.md"
    orphan.write_text("# Four\n", encoding="utf-8")

    assert dead_links(page) == ["other.md#three", "gone.md#"]
    assert reachable(page) == {page, other}
    assert anchors("# A `b`: c\n## A `b`: c\n") == {"a-b-c", "a-b-c-1"}
