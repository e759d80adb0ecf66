"""The same calendar in two tabs."""

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.user import User
from tests.support.processes.application import ApiProcess


def _second_tab(user: User) -> User:
    other = User(user.page.context.new_page())
    other.page.goto("/")
    return other


def _choose_group(user: User, group: str) -> None:
    with user.page.expect_response(lambda answer: answer.request.method == "POST"):
        user.page.get_by_label("Practicals of ABC 123").select_option(group)


def test_a_tab_undoes_nothing_that_the_other_did(user: User, tmp_path: Path) -> None:
    """Each tab sends only its own changes, so the module that the first tab hides stays hidden."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    other = _second_tab(user)
    user.page.get_by_role("checkbox", name="XYZ 214").uncheck()
    # The week changes before the choice is saved, and this sentence afterwards.
    expect(user.page.locator("#shown")).to_have_text("5 of 7 entries are shown.")
    _choose_group(other, "P02")
    expect(other.classes).to_have_count(3)
    expect(other.page.get_by_role("checkbox", name="XYZ 214")).not_to_be_checked()
    user.page.reload()
    expect(user.page.get_by_label("Practicals of ABC 123")).to_have_value("ABC 123|P|P02")
    assert other.console_errors == []


def test_a_conflict_is_announced_and_shown(user: User, tmp_path: Path) -> None:
    """The tabs choose two groups of one kind.

    The second tab sees the first choice and can choose again. The same applies to dates.
    """
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    other = _second_tab(user)
    _choose_group(user, "P01")
    expect(user.classes).to_have_count(4)
    user.page.locator("[name=S2_start]").fill("2026-07-27")
    user.page.get_by_role("button", name="Confirm these dates").click()
    expect(user.page.locator("#dates")).to_contain_text("Confirmed")
    _choose_group(other, "P02")
    expect(other.page.locator("#message")).to_contain_text("changed in another tab or on another device")
    expect(other.page.get_by_label("Practicals of ABC 123")).to_have_value("ABC 123|P|P01")
    expect(other.page.locator("[name=S2_start]")).to_have_value("2026-07-27")
    _choose_group(other, "P02")
    expect(other.page.locator("#message")).to_be_hidden()
    third = _second_tab(user)
    third.page.locator("[name=S2_start]").fill("2026-08-03")
    other.page.locator("[name=S2_start]").fill("2026-07-20")
    other.page.get_by_role("button", name="Use these dates").click()
    expect(other.page.locator("#announcer")).to_contain_text("Saved")
    third.page.get_by_role("button", name="Use these dates").click()
    expect(third.page.locator("#message")).to_contain_text("changed in another tab or on another device")
    expect(third.page.locator("[name=S2_start]")).to_have_value("2026-07-20")


def test_a_conflict_is_shown_without_javascript(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """A separate page shows it and links to the current state."""
    user = new_user(application.url)
    user.page.goto("/")
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    cookies = user.page.context.cookies()
    plain = new_user(application.url, java_script_enabled=False)
    plain.page.context.add_cookies([dict(cookie) for cookie in cookies])  # pyright: ignore[reportArgumentType] - the same shape
    plain.page.goto("/")
    _choose_group(user, "P01")
    expect(user.classes).to_have_count(4)
    plain.page.get_by_label("Practicals of ABC 123").select_option("P02")
    plain.page.get_by_role("button", name="Apply").click()
    expect(plain.page.get_by_role("alert")).to_contain_text("changed in another tab or on another device")
    plain.page.get_by_role("link", name="Back to your schedule").click()
    expect(plain.page.get_by_label("Practicals of ABC 123")).to_have_value("ABC 123|P|P01")
