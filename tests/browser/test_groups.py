"""Choosing groups: combinations without a clash come first, or else the least bad, and clashes can be dismissed."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.user import User
from tests.support.processes.application import ApiProcess

#: One of the two practicals clashes with a lecture. Two tutorials are equally good.
ROWS = (
    ("ABC 123", "G01", ("L1", 0, "08:30 - 09:20", "Maple 3-7"), ("L2", 3, "10:30 - 11:20", "Oak 2-26")),
    ("ABC 123", "P01", ("P1", 1, "14:30 - 17:20", "Computatorium Red Lab")),
    ("ABC 123", "P02", ("P1", 2, "14:30 - 17:20", "Computatorium Grey Lab")),
    ("XYZ 214", "G01", ("L1", 1, "15:30 - 16:20", "Great Hall")),
    ("XYZ 214", "T01", ("T1", 4, "07:30 - 08:20", "Great Hall")),
    ("XYZ 214", "T02", ("T1", 4, "09:30 - 10:20", "Great Hall")),
)
#: Both practicals clash, one with a weekly class and the other with a single test.
ALWAYS_CLASHING = (
    ("ABC 123", "P01", ("P1", 5, "09:30 - 12:20", "Computatorium Red Lab")),
    ("ABC 123", "P02", ("P1", 1, "14:30 - 17:20", "Computatorium Grey Lab")),
    ("XYZ 214", "G01", ("L1", 1, "15:30 - 16:20", "Great Hall")),
)


def with_calendar(user: User, *files: Path) -> None:
    user.page.goto("/")
    user.choose(*files)
    user.await_calendar()


@pytest.mark.parametrize(("width", "colour_scheme"), [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")])
def test_the_best_combination_is_two_taps_away(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, width: int, colour_scheme: str
) -> None:
    """The path leads from the calendar to groups without a clash. Groups that were not taken leave the calendar."""
    user = new_user(application.url, width=width, color_scheme=colour_scheme)
    page = user.page
    with_calendar(user, schedules.lectures(tmp_path, ROWS), schedules.semester_tests(tmp_path))
    page.get_by_role("link", name="Choose groups").click()
    expect(page.get_by_text("2 of 4 combinations have no clash.")).to_be_visible()
    assert not user.overflows()
    user.keep_screenshot(tmp_path / f"groups-{width}-{colour_scheme}.png")
    page.get_by_role("button", name="Take combination 1: no clash").click()
    current = page.locator("#current")
    expect(current).to_contain_text("Your groups now: no clash")
    # The text that replaces the form gets the focus, and the change is announced.
    expect(page.locator("#current-title")).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("These groups are chosen. No clash.")
    assert not user.overflows()
    user.keep_screenshot(tmp_path / f"groups-taken-{width}-{colour_scheme}.png")
    current.get_by_role("link", name="Get the calendar").click()
    expect(page.locator("#choose-groups")).to_contain_text("Your groups have no clash")
    document = user.download().decode()
    assert "P02" in document
    assert "P01" not in document


@pytest.mark.parametrize("width", [390, 1440])
def test_a_tap_on_a_class_leads_to_its_other_groups(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, width: int
) -> None:
    """The tap may be anywhere on the class. A class without another group leads only to its own page."""
    user = new_user(application.url, width=width)
    page = user.page
    with_calendar(user, schedules.lectures(tmp_path, ROWS), schedules.semester_tests(tmp_path))
    week = page.locator(".week-grid").first
    expect(week.locator(".slot", has_text="ABC 123").filter(has_text="G01").locator("a:not(.slot-edit)")).to_have_count(
        0
    )
    lab = week.locator(".slot", has_text="Computatorium Grey Lab")
    lab.click()
    expect(page.get_by_role("heading", name="ABC 123: practicals")).to_be_visible()
    page.get_by_role("button", name="Take P02").click()
    expect(page.get_by_role("link", name="ABC 123 Practicals")).to_contain_text("P02")


def test_wishes_change_the_order_at_once(user: User, tmp_path: Path) -> None:
    """No button is needed, and the wishes are stored."""
    with_calendar(user, schedules.lectures(tmp_path, ROWS), schedules.semester_tests(tmp_path))
    page = user.page
    page.goto("/groups")
    first = page.locator(".proposal").first
    page.get_by_label("Start not before").select_option("08:30")
    expect(first).to_contain_text("T02")
    expect(first).to_contain_text("Starts at 08:30")
    page.reload()
    expect(page.get_by_label("Start not before")).to_have_value("08:30")


def test_where_every_combination_clashes_the_least_bad_is_shown_with_its_weeks(user: User, tmp_path: Path) -> None:
    """One Saturday test is compared with every Tuesday. An acceptable clash can be dismissed and shown again."""
    with_calendar(user, schedules.lectures(tmp_path, ALWAYS_CLASHING), schedules.semester_tests(tmp_path))
    page = user.page
    page.goto("/groups")
    expect(page.get_by_text("None of 2 combinations is free of clashes.")).to_be_visible()
    first = page.locator(".proposal").first
    expect(first).to_contain_text("Clashes in 1 week")
    expect(first).to_contain_text("Sat 22 Aug, 10:00–11:30")  # noqa: RUF001 - a range
    first.get_by_role("button", name="Take combination 1").click()
    clash = page.locator("#clashes .clash-item")
    expect(clash).to_have_count(1)
    clash.get_by_role("button", name="Dismiss").click()
    expect(clash).to_contain_text("dismissed")
    expect(page.locator("#announcer")).to_have_text("The clash is dismissed.")
    expect(clash.get_by_role("button")).to_be_focused()
    page.goto("/")
    expect(page.locator("#choose-groups")).to_contain_text("Your groups have no clash")


def test_groups_can_be_chosen_without_javascript(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """Wishes, single classes and whole combinations are sent by forms."""
    user = new_user(application.url, java_script_enabled=False)
    page = user.page
    page.goto("/")
    user.choose(schedules.lectures(tmp_path, ROWS))
    page.get_by_role("button", name="Upload this file").click()
    expect(user.state("lectures.pdf")).to_contain_text("Read:")
    page.locator("#year button[value='2026']").click()
    page.get_by_role("link", name="Choose groups").click()
    page.get_by_label("Start not before").select_option("08:30")
    page.get_by_role("button", name="Look again").click()
    expect(page.locator(".proposal").first).to_contain_text("T02")
    page.get_by_role("link", name="ABC 123 Practicals").click()
    expect(page.locator(".proposal").first).to_contain_text("Clashes in")
    page.get_by_role("button", name="Take P02").click()
    expect(page.get_by_role("link", name="ABC 123 Practicals")).to_contain_text("P02")
    page.get_by_role("button", name="Take combination 1").click()
    expect(page.locator("#current")).to_contain_text("no clash")
