"""Choices are saved soon after they are made, and none is lost when the page is left meanwhile."""

from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.user import User
from tests.support.processes.application import ApiProcess

_CHOICES = "**/calendar/choices"


@pytest.fixture
def chooser(user: User, tmp_path: Path) -> User:
    """A user whose calendar has two groups of practicals."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    return user


def _choose(user: User, group: str) -> None:
    user.page.get_by_label("Practicals of ABC 123").select_option(label=group)


def _expect_chosen(user: User, group: str) -> None:
    expect(user.page.get_by_label("Practicals of ABC 123").locator("option:checked")).to_have_text(group)


def test_a_choice_is_saved_when_the_page_is_left_at_once(chooser: User) -> None:
    """The page is left in the same task in which the choice is made, before the script has sent it."""
    page = chooser.page
    with page.expect_navigation():
        page.evaluate(
            """() => {
                const select = document.querySelector("[id='group-ABC 123-P']");
                select.value = "ABC 123|P|P02";
                select.dispatchEvent(new Event("change", { bubbles: true }));
                location.assign("/help");
            }"""
        )
    page.goto("/")
    # The server can have rendered the page before it received the choice.
    for _ in range(100):
        if page.get_by_label("Practicals of ABC 123").input_value() == "ABC 123|P|P02":
            break
        page.reload()
    _expect_chosen(chooser, "P02")


def test_the_file_has_a_choice_that_was_made_just_before(chooser: User) -> None:
    """The link to the file is followed when the choice is saved."""
    held: list[Route] = []
    chooser.page.route(_CHOICES, lambda route: held.append(route))  # noqa: PLW0108 - playwright sets an attribute of it
    with chooser.page.expect_download() as started:
        with chooser.page.expect_request(_CHOICES):
            _choose(chooser, "P02")
            chooser.page.locator("#download").click()
        held[0].continue_()
    document = started.value.path().read_bytes().decode()
    assert "P02" in document
    assert "P01" not in document


def test_the_last_of_several_quick_choices_is_kept(chooser: User) -> None:
    """Each is made before the answer to the one before. None is a conflict with another one of the same page."""
    held: list[Route] = []
    chooser.page.route(_CHOICES, lambda route: route.continue_() if held else held.append(route))
    with chooser.page.expect_request(_CHOICES):
        _choose(chooser, "P01")
    _choose(chooser, "P02")
    _choose(chooser, "All 2")
    chooser.page.get_by_role("checkbox", name="XYZ 214").uncheck()
    held[0].continue_()
    expect(chooser.classes.filter(has_text="XYZ 214")).to_have_count(0)
    # The answer to the first save says that six are shown.
    expect(chooser.page.locator("#shown")).to_have_text("5 of 7 entries are shown.")
    _expect_chosen(chooser, "All 2")
    expect(chooser.page.locator("#message")).to_be_hidden()
    chooser.page.reload()
    _expect_chosen(chooser, "All 2")
    expect(chooser.page.get_by_role("checkbox", name="XYZ 214")).not_to_be_checked()


@pytest.mark.parametrize("width", [390, 1440])
def test_a_choice_that_cannot_be_saved_is_shown_as_such(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, width: int
) -> None:
    """It stays chosen, and is saved by the button or as soon as there is a connection again."""
    user = new_user(application.url, width=width, color_scheme="dark" if width == 390 else "light")
    page = user.page
    page.goto("/")
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    not_saved = page.get_by_text("Your last change is not saved yet.")
    expect(not_saved).to_be_hidden()
    page.route(_CHOICES, lambda route: route.fulfill(status=503, body=""))
    _choose(user, "P02")
    expect(not_saved).to_be_visible()
    _expect_chosen(user, "P02")
    assert not user.overflows()
    page.locator("form.modules").screenshot(path=tmp_path / f"not-saved-{width}.png")
    page.unroute(_CHOICES)
    page.get_by_role("button", name="Apply").click()
    expect(not_saved).to_be_hidden()
    expect(user.classes).to_have_count(4)
    page.context.set_offline(True)
    _choose(user, "P01")
    expect(not_saved).to_be_visible()
    page.context.set_offline(False)
    expect(not_saved).to_be_hidden()
    page.reload()
    _expect_chosen(user, "P01")
    user.console_errors = [error for error in user.console_errors if "Failed to load resource" not in error]
