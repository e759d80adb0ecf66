"""A schedule that is printed again with changes: the changes are shown, decided on and undone."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.user import User
from tests.support.calendar_parsers import by_icalendar
from tests.support.processes.application import ApiProcess


def _newer(directory: Path) -> Path:
    return schedules.lectures(directory, schedules.NEWER_LECTURE_ROWS, "lectures-new.pdf")


def _with_first_printing(user: User, tmp_path: Path) -> None:
    user.page.goto("/")
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    user.page.get_by_label("Practicals of ABC 123").select_option("P02")
    expect(user.classes).to_have_count(4)
    # The week changes before the choice is saved, and this sentence afterwards.
    expect(user.page.locator("#shown")).to_have_text("6 of 7 entries are shown.")


def _panel(user: User) -> Locator:
    return user.page.locator(".replacement")


@pytest.mark.parametrize("width", [390, 1440])
def test_a_newer_printing_replaces_the_older_one_after_showing_what_changed(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, width: int
) -> None:
    """Nothing changes before the decision. Groups and UIDs stay, and undoing it restores the calendar."""
    user = new_user(application.url, width=width)
    _with_first_printing(user, tmp_path)
    before = by_icalendar(user.download())
    user.choose(_newer(tmp_path))
    panel = _panel(user)
    expect(panel).to_contain_text("1 added, 1 removed, 1 moved, 1 new time, 1 new venue")
    lines = panel.locator(".changes li")
    expect(lines).to_have_count(5)
    moved = lines.filter(has=user.page.get_by_text("Moved", exact=True))
    expect(moved).to_contain_text("ABC 123 L1 G01")
    expect(moved).to_contain_text("Tuesday 08:30")
    expect(lines.filter(has_text="New venue")).to_contain_text("Small Hall")
    expect(user.classes).to_have_count(4)
    assert by_icalendar(user.download()) == before
    assert not user.overflows()
    user.keep_screenshot(tmp_path / "question.png")

    panel.get_by_role("button", name="Use the newer one").click()
    expect(panel).to_contain_text("has replaced lectures.pdf")
    expect(user.page.locator("#announcer")).to_contain_text("Your calendar follows your decision.")
    user.await_calendar()
    # The groups are those that were chosen: of the practicals only P02, at its new time.
    expect(user.classes).to_have_count(4)
    expect(user.classes.filter(has_text="P02")).to_contain_text("13:30")
    after = by_icalendar(user.download())
    # One entry is new. None is lost, since the file names the removed one as cancelled. Two have another time.
    assert (len(after.keys() - before.keys()), len(before.keys() - after.keys())) == (1, 0)
    assert sum(after[uid] != before[uid] for uid in before) == 2
    assert not user.overflows()
    user.keep_screenshot(tmp_path / "replaced.png")
    # By their names alone, two of the three modules would have the same colour.
    edges = user.page.locator(".module").evaluate_all("found => found.map(e => getComputedStyle(e).borderLeftColor)")
    assert len(set(edges)) == len(edges) == 3

    user.page.reload()
    panel.get_by_role("button", name="Undo").click()
    expect(panel.get_by_role("button", name="Keep both")).to_be_visible()
    undone = by_icalendar(user.download())
    assert {uid: undone[uid] for uid in before} == before


def test_both_printings_can_be_kept(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """They then count like two schedules of different modules."""
    user = new_user(application.url)
    _with_first_printing(user, tmp_path)
    user.choose(_newer(tmp_path))
    _panel(user).get_by_role("button", name="Keep both").click()
    expect(_panel(user)).to_have_count(0)
    user.await_calendar()
    expect(user.classes.filter(has_text="L1 G01").filter(has_text="ABC 123")).to_have_count(2)
    user.page.reload()
    expect(_panel(user)).to_have_count(0)


def test_without_the_newer_printing_the_older_one_counts_again(
    new_user: NewUser, application: ApiProcess, tmp_path: Path
) -> None:
    user = new_user(application.url)
    _with_first_printing(user, tmp_path)
    before = by_icalendar(user.download())
    user.choose(_newer(tmp_path))
    _panel(user).get_by_role("button", name="Use the newer one").click()
    expect(_panel(user)).to_contain_text("has replaced")
    user.remove("lectures-new.pdf")
    expect(_panel(user)).to_have_count(0)
    user.await_calendar()
    again = by_icalendar(user.download())
    assert {uid: again[uid] for uid in before} == before


def test_a_newer_printing_is_decided_on_without_javascript(
    new_user: NewUser, application: ApiProcess, tmp_path: Path
) -> None:
    """The buttons are the same."""
    user = new_user(application.url, width=390, java_script_enabled=False)
    page = user.page
    page.goto("/")
    for document in (schedules.semester_tests(tmp_path), schedules.lectures(tmp_path), _newer(tmp_path)):
        user.choose(document)
        page.get_by_role("button", name="Upload this file").click()
        expect(user.state(document.name)).to_contain_text("Read:")
    page.get_by_role("button", name="Make my calendar").click()
    expect(user.classes).to_have_count(5)
    _panel(user).get_by_role("button", name="Use the newer one").click()
    expect(_panel(user)).to_contain_text("has replaced lectures.pdf")
    expect(user.classes.filter(has_text="NEW 999")).to_have_count(1)
    _panel(user).get_by_role("button", name="Undo").click()
    expect(_panel(user).get_by_role("button", name="Keep both")).to_be_visible()
    expect(user.classes.filter(has_text="NEW 999")).to_have_count(0)
