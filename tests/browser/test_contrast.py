"""The contrast of all texts, in both themes (WCAG 1.4.3)."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.screens import TOO_FAINT
from tests.support.processes.application import ApiProcess
from upschedule.timetable.colours import COLOURS

#: A class in each of the colours that a module may have.
_ALL_COLOURS = """colours => {
    for (const colour of colours) {
        const slot = document.querySelector(".slot").cloneNode(true);
        slot.className = `slot hue-${colour}`;
        document.querySelector(".slots").append(slot);
    }
}"""


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_every_text_has_enough_contrast_with_its_background(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, colour_scheme: str
) -> None:
    """The test includes failed documents, warnings, and modules of every colour."""
    user = new_user(application.url, color_scheme=colour_scheme)
    user.page.goto("/")
    assert user.page.evaluate(TOO_FAINT) == []
    notes = tmp_path / "notes.pdf"
    notes.write_text("These are my notes.")
    user.choose(notes, schedules.lectures(tmp_path), schedules.semester_tests(tmp_path, weekday="Monday"))
    expect(user.page.locator('#cards [data-status="completed"]')).to_have_count(2)
    user.await_calendar()
    user.page.evaluate(_ALL_COLOURS, list(COLOURS))
    assert user.page.evaluate(TOO_FAINT) == []
    user.view_by_date()
    assert user.page.evaluate(TOO_FAINT) == []
    user.choose(schedules.lectures(tmp_path, schedules.NEWER_LECTURE_ROWS, "lectures-new.pdf"))
    expect(user.page.locator(".replacement .changes li")).to_have_count(5)
    assert user.page.evaluate(TOO_FAINT) == []
    user.page.get_by_role("button", name="Use the newer one").click()
    expect(user.page.get_by_role("button", name="Undo")).to_be_visible()
    user.page.locator("[name=recess0_start]").fill("2026-09-26")
    user.page.get_by_role("button", name="Confirm these dates").click()
    expect(user.page.locator("#recess0_error")).to_be_visible()
    assert user.page.evaluate(TOO_FAINT) == []
