"""Comments, docstrings, pages and names of tests use plain technical English, without words that hide who does what."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

#: Each word, and what to write instead.
INSTEAD = {
    r"who(?:so)?ever": "name the person or the process",
    r"(?:no|some|every|any)body": "name the person, or use the passive voice",
    r"by (?:itself|themselves)": "automatically, alone, or which setting causes it",
    r"(?:go|goes|went|gone|going) back": "roll back, return, decrease",
    r"told": "gets, receives, is shown, distinguished",
    r"stands?": "is, comes, occurs; replaces",
    r"of the moment": "current",
}
WORDS = re.compile(rf"\b(?:{'|'.join(INSTEAD)})\b", re.IGNORECASE)
FOLDERS = ("src", "tools", "perf", "pulumi", "jobs", "tests")
#: A docstring that begins like this continues the name of its function, such as `page`: "Of the visitor".
FRAGMENT = re.compile(r"(?:Of|As|By(?! default)|To which|Where) ")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`|\]\([^)]*\)", re.DOTALL | re.MULTILINE)
#: Debian's user without rights.
ALLOWED = re.compile(r"\bthe user nobody\b")


def docstrings_of(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def prose_of(source: str) -> Iterator[str]:
    """The docstrings and comments of a Python module, without code."""
    for docstring in docstrings_of(source):
        yield CODE.sub("", docstring)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield CODE.sub("", token.string)


def found_in(prose: str) -> list[str]:
    """The words that are not used, each with what comes around it."""
    text = " ".join(ALLOWED.sub("", prose).split())
    return [text[max(0, match.start() - 30) : match.end() + 30] for match in WORDS.finditer(text)]


def names_of_tests(source: str) -> Iterator[str]:
    """The names of the test functions of a module, with spaces between their words."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name.replace("_", " ")


def modules() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_uses_plain_words(page: Path) -> None:
    """Code on a page, such as the names of tests, is left out."""
    assert found_in(CODE.sub("", page.read_text(encoding="utf-8"))) == []


def test_comments_and_docstrings_use_plain_words() -> None:
    """`INSTEAD` says what to write."""
    found = {
        str(module.relative_to(ROOT)): words
        for module in modules()
        if module != Path(__file__)
        if (words := [word for prose in prose_of(module.read_text(encoding="utf-8")) for word in found_in(prose)])
    }

    assert found == {}


def test_docstrings_begin_with_a_sentence() -> None:
    """A docstring is read without the name above it, in an editor or in the OpenAPI document."""
    found = [
        f"{module.relative_to(ROOT)}: {prose[:60]}"
        for module in modules()
        for prose in docstrings_of(module.read_text(encoding="utf-8"))
        if FRAGMENT.match(prose)
    ]

    assert found == []


def test_names_of_tests_use_plain_words() -> None:
    """`docs/requirements.md` quotes these names, and a failed run prints them."""
    found = {
        str(module.relative_to(ROOT)): words
        for module in sorted((ROOT / "tests").rglob("*.py"))
        if (words := [word for name in names_of_tests(module.read_text(encoding="utf-8")) for word in found_in(name)])
    }

    assert found == {}


def test_each_word_is_found_in_comments_docstrings_pages_and_names_of_tests() -> None:
    """The control: none of these passes, and other names in code do."""
    source = '"""Runs for whoever asks.\n\nIt goes\nback."""\n# Nobody sees it.\nnobody = "told"\n'

    assert [len(found_in(prose)) for prose in prose_of(source)] == [2, 1]
    assert len(found_in("The file stands there.")) == 1
    (name,) = names_of_tests("def test_nobody_is_told(): ...\ndef told(): ...\n")
    assert len(found_in(name)) == 2
    assert found_in(CODE.sub("", "`nobody`, [x](told.md) and the user nobody do not count.")) == []
