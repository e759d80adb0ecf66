"""The weeks show other groups and modules before they are saved, exactly as the server shows them afterwards."""

import re
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Route, expect

from tests.support.browser import schedules
from tests.support.browser.user import User
from tests.support.documents.generate import print_by_portal
from tests.support.documents.schedules import LECTURES, lecture_row

_CHOICES = "**/calendar/choices"
_CHANGES = 8
_WEEKS = ("2026-03-02", "2026-08-17")
#: The grids that are shown: their elements with all attributes and texts. `data-left` says what the server has.
_WEEKS_SHOWN = """
const shape = (node) => [
    node.tagName,
    [...node.attributes].filter(({ name }) => name !== "data-left").map(({ name, value }) => `${name}=${value}`).sort(),
    [...node.childNodes].filter((child) => child.tagName !== "TEMPLATE").map((child) =>
        child.nodeType === 1 ? shape(child) : child.textContent.trim()).filter((child) => child.length),
];
const shapes = (where) =>
    [...document.querySelectorAll(`${where} .week-grid`)].filter((grid) => !grid.closest("[hidden]")).map(shape);
const shown = () => ({
    monday: document.querySelector(".view--week time")?.dateTime,
    title: document.getElementById("week-title")?.textContent,
    real: shapes(".view--week"),
    typical: shapes(".view--typical"),
});
"""
#: Changes the field with this number to its option, or ticks or unticks it, and returns the grids before and after.
_CHANGE = f"""([number, option]) => {{
    {_WEEKS_SHOWN}
    const fields = document.querySelectorAll("form.modules select, form.modules [name=show]");
    const ticked = document.querySelectorAll("form.modules [name=show]:checked");
    let field = fields[number % fields.length];
    if (ticked.length === 1 && ticked[0] === field) {{
        // Without any module there is no week.
        field = fields[(number + 1) % fields.length];
    }}
    const before = shown();
    if (field.options) {{
        field.selectedIndex = option % field.options.length;
    }} else {{
        field.checked = !field.checked;
    }}
    document.addEventListener("parts:new", () => {{ window.answered = true; }}, {{ once: true }});
    window.answered = false;
    field.dispatchEvent(new Event("change", {{ bubbles: true }}));
    return [before, shown()];
}}"""


def _random_lectures(directory: Path, rng: Random) -> Path:
    """Lectures of few modules, so that each has several groups, kinds of class, languages and terms."""
    rows = [lecture_row(rng) for _ in range(24)]
    for row in rows:
        row.cells[0] = [rng.choice(("ABC 123", "XYZ 214", "PQR 311"))]
    path = directory / "lectures.pdf"
    path.write_bytes(print_by_portal(LECTURES, rows, rng).data)
    return path


@pytest.mark.parametrize("seed", [1, 2])
def test_the_browser_and_the_server_show_the_same_weeks(user: User, tmp_path: Path, seed: int) -> None:
    """Random documents and choices: the typical weeks, a real week, and the marks of clashes.

    The server may show another real week, since its weeks begin with the first class and end with the last one.
    """
    rng = Random(seed)  # noqa: S311 - varied, not secret
    page = user.page
    user.choose(_random_lectures(tmp_path, rng), schedules.semester_tests(tmp_path))
    user.await_calendar()
    changed = compared = 0
    for week in _WEEKS:
        page.goto(f"/?week={week}")
        for _ in range(_CHANGES // len(_WEEKS)):
            before, computed = page.evaluate(_CHANGE, [rng.randrange(100), rng.randrange(100)])
            page.wait_for_function("() => window.answered")
            answered = page.evaluate(f"() => {{ {_WEEKS_SHOWN} return shown(); }}")
            assert computed["typical"] == answered["typical"]
            if computed["monday"] == answered["monday"]:
                assert computed == answered
                compared += 1
            changed += computed != before
    assert min(changed, compared) > _CHANGES // 3


def test_groups_are_shown_and_can_be_changed_again_before_they_are_saved(user: User, tmp_path: Path) -> None:
    """The first choice is not answered while the second one is made. The last one is saved."""
    page = user.page
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    page.goto("/?week=2026-08-10")
    lab = page.locator(".view--week .slot", has_text="Lab")
    expect(lab).to_have_count(2)
    held: list[Route] = []
    page.route(_CHOICES, lambda route: route.continue_() if held else held.append(route))
    practicals = page.get_by_label("Practicals of ABC 123")
    with page.expect_request(_CHOICES):
        practicals.select_option(label="P01")
    expect(lab).to_contain_text(["Red Lab"])
    practicals.select_option(label="P02")
    expect(lab).to_contain_text(["Grey Lab"])
    page.get_by_role("checkbox", name="XYZ 214").uncheck()
    expect(page.locator(".view--week .slot", has_text="XYZ 214")).to_have_count(0)
    assert len(held) == 1
    held[0].continue_()
    # The answer to the second save no longer has the group of the module that was unticked.
    expect(page.locator("#shown")).to_have_text(re.compile("^[34] of"))
    page.reload()
    expect(lab).to_contain_text(["Grey Lab"])
    expect(page.locator(".view--week .slot", has_text="XYZ 214")).to_have_count(0)
