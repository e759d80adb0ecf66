"""Entries are edited, hidden, added and restored. A newer printing keeps the edits."""

import re
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.screens import check_screen
from tests.support.browser.user import User
from tests.support.processes.application import ApiProcess

_CLASS = "XYZ 214 L1"


def _open(user: User, name: str = _CLASS) -> None:
    user.page.locator(".view--typical").get_by_role("link", name=f"Edit {name}").click()


def _classes(user: User) -> Locator:
    user.view("All classes")
    return user.classes


def _with_calendar(user: User, tmp_path: Path) -> None:
    user.page.goto("/")
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    user.view("All classes")


def test_an_edited_class_reaches_the_calendar_and_survives_a_newer_printing(
    new_user: NewUser, application: ApiProcess, tmp_path: Path
) -> None:
    """The edited name, time and note stay. The room, which was not edited, is that of the newer printing."""
    user = new_user(application.url)
    page = user.page
    _with_calendar(user, tmp_path)
    _open(user)
    expect(page.locator(".evidence")).to_contain_text("lectures.pdf, page 1, row")
    check_screen(user, tmp_path, "entry")
    page.get_by_label("Name").fill("Statics")
    page.get_by_label("From").fill("11:30")
    page.get_by_label("Until").fill("12:20")
    page.get_by_label("Note").fill("Bring the blue book")
    page.get_by_label("Reminder").select_option("30")
    page.get_by_role("button", name="Save").click()
    changed = user.classes.filter(has_text="Statics")
    expect(changed).to_contain_text("11:30")
    expect(changed).to_contain_text("Bring the blue book")
    expect(changed).to_contain_text("edited")
    check_screen(user, tmp_path, "edited")
    document = user.download().decode().replace("\r\n ", "")
    assert "SUMMARY:Statics\r\n" in document
    assert "T113000" in document
    assert "Bring the blue book" in document
    assert "TRIGGER:-PT30M" in document
    user.choose(schedules.lectures(tmp_path, schedules.NEWER_LECTURE_ROWS, "newer.pdf"))
    page.get_by_role("button", name="Use the newer one").click()
    expect(changed).to_contain_text("Small Hall")
    expect(changed).to_contain_text("11:30")
    user.await_calendar()
    assert "SUMMARY:Statics\r\n" in user.download().decode()


def test_a_change_is_undone_where_it_was_made(user: User, tmp_path: Path) -> None:
    """An entry is hidden with its form, and the first page offers to undo it."""
    page = user.page
    _with_calendar(user, tmp_path)
    expect(user.classes).to_have_count(5)
    _open(user)
    page.get_by_role("button", name="Hide it").click()
    expect(_classes(user)).to_have_count(4)
    page.locator(".undo-edit").get_by_role("button", name="Undo").click()
    expect(user.classes).to_have_count(5)
    expect(page.locator("#announcer")).to_have_text("Undone.")
    assert "XYZ 214 L1" in user.download().decode()


def test_a_colour_is_chosen_for_a_module_and_for_an_own_entry(
    new_user: NewUser, application: ApiProcess, tmp_path: Path
) -> None:
    """The page and the file show it. Undoing the last change restores the colour before."""
    user = new_user(application.url, width=390)
    page = user.page
    _with_calendar(user, tmp_path)
    _open(user)
    before = page.get_by_role("radio", checked=True).get_attribute("value")
    page.get_by_role("radio", name="Teal").check()
    check_screen(user, tmp_path, "colour")
    page.get_by_role("button", name="Save").click()
    own_module = user.classes.filter(has_text="XYZ 214").first
    expect(own_module).to_have_class(re.compile("hue-teal"))
    assert "COLOR:teal" in user.download().decode()
    page.locator(".undo-edit").get_by_role("button", name="Undo").click()
    expect(own_module).to_have_class(re.compile(f"hue-{before}"))
    page.goto("/entries/new")
    page.get_by_label("Name").fill("Choir")
    page.get_by_label("First day").fill("2026-08-03")
    page.get_by_label("From").fill("08:00")
    page.get_by_label("Until", exact=True).fill("07:00")
    page.get_by_role("radio", name="Dark orange").check()
    page.get_by_role("button", name="Add it").click()
    # The form that was refused keeps the colour.
    expect(page.get_by_role("radio", name="Dark orange")).to_be_checked()
    page.get_by_label("Until", exact=True).fill("09:00")
    page.get_by_role("button", name="Add it").click()
    page.goto("/?week=2026-08-03")
    expect(page.locator(".view--week .slot", has_text="Choir")).to_have_class(re.compile("hue-darkorange"))
    assert "COLOR:darkorange" in user.download().decode()


def test_a_time_that_cannot_be_comes_back_with_the_reason(user: User, tmp_path: Path) -> None:
    """The reason is beside its field, and all fields keep what was typed."""
    page = user.page
    _with_calendar(user, tmp_path)
    _open(user)
    page.get_by_label("Name").fill("Statics")
    page.get_by_label("Until").fill("08:00")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#end_error")).to_have_text("The end is before the start.")
    expect(page.get_by_label("Until")).to_be_focused()
    expect(page.get_by_label("Name")).to_have_value("Statics")


def test_without_scripts_entries_are_added_hidden_and_reminded_of(
    new_user: NewUser, application: ApiProcess, tmp_path: Path
) -> None:
    """The list hides many entries at once. An own entry is in the week, in the clashes and in the file."""
    user = new_user(application.url, width=390, java_script_enabled=False)
    page = user.page
    page.goto("/")
    user.choose(schedules.lectures(tmp_path))
    page.get_by_role("button", name="Upload this file").click()
    expect(user.state("lectures.pdf")).to_have_text("Read: 5 weekly classes")
    page.get_by_role("button", name="2026").click()
    page.get_by_role("link", name="Edit entries").click()
    page.get_by_role("link", name="Add an entry").click()
    page.get_by_label("Name").fill("Choir")
    page.get_by_label("First day").fill("2026-08-03")
    page.get_by_label("From").fill("08:00")
    page.get_by_label("Until", exact=True).fill("09:00")
    page.get_by_label("Every week until").fill("2026-08-31")
    page.get_by_role("button", name="Add it").click()
    expect(page.locator(".entries")).to_contain_text("weekly until 31 August 2026")
    page.get_by_role("checkbox", name="ABC 123 P1 P01").uncheck()
    page.get_by_role("checkbox", name="ABC 123 P1 P02").uncheck()
    page.get_by_role("button", name="Show the ticked entries").click()
    expect(page.get_by_role("checkbox", name="ABC 123 P1 P01")).not_to_be_checked()
    page.get_by_role("link", name="Reminders").click()
    page.get_by_label("Lectures").select_option("15")
    page.get_by_role("button", name="Save").click()
    assert not user.overflows()
    page.goto("/?week=2026-08-03")
    expect(page.locator(".view--week .slot").filter(has_text="Choir")).to_contain_text("Clash")
    document = user.download().decode()
    assert "SUMMARY:Choir" in document
    assert "UNTIL=20260831" in document
    assert "P01" not in document
    assert "TRIGGER:-PT15M" in document


def test_the_screens_for_editing_are_accessible(user: User, tmp_path: Path) -> None:
    """The pages are the list, a new entry and the reminders."""
    page = user.page
    _with_calendar(user, tmp_path)
    for path in ("", "/new", "/reminders"):
        page.goto(f"/entries{path}")
        check_screen(user, tmp_path, f"entries{path.replace('/', '-')}")


def test_an_entry_that_was_changed_in_another_tab_is_not_overwritten(user: User, tmp_path: Path) -> None:
    """The second form shows a message."""
    page = user.page
    _with_calendar(user, tmp_path)
    _open(user)
    with page.context.expect_page() as opened:
        page.evaluate("open(location.href)")
    other = opened.value
    other.get_by_label("Note").fill("First")
    other.get_by_role("button", name="Save").click()
    expect(other.locator(".undo-edit")).to_contain_text(f"Saved: {_CLASS}")
    page.get_by_label("Note").fill("Second")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Changed meanwhile")).to_be_visible()
