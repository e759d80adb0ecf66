"""Scripts are blocked, for example by a campus filter, or arrive late on a slow network."""

from pathlib import Path

from playwright.sync_api import Route, expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.user import User
from tests.support.calendar_parsers import by_icalendar
from tests.support.processes.application import ApiProcess
from tests.support.servers import wait_until

_SCRIPTS = "**/*.js"
_BLOCKED = "Failed to load resource: net::ERR_FAILED"


def _is_read_by_now(user: User) -> bool:
    link = user.page.get_by_role("link", name="Show how far it is")
    if link.is_visible():
        link.click()
    return not link.is_visible()


def test_a_file_can_be_sent_while_scripts_are_blocked(
    new_user: NewUser, application: ApiProcess, tmp_path: Path
) -> None:
    """The browser supports scripts, so content for browsers without them is not shown."""
    user = new_user(application.url, width=390)
    page = user.page
    page.route(_SCRIPTS, lambda route: route.abort())
    page.goto("/")
    send = page.get_by_role("button", name="Upload this file")
    expect(send).to_be_hidden()
    for document in (schedules.lectures(tmp_path), schedules.semester_tests(tmp_path)):
        user.choose(document)
        expect(send).to_be_visible()
        user.keep_screenshot(tmp_path / "chosen.png")
        send.click()
        expect(user.card(document.name)).to_be_visible()
        # The page does not reload automatically.
        wait_until(lambda: _is_read_by_now(user), timeout_seconds=60)
        expect(user.state(document.name)).to_contain_text("Read:")
    page.get_by_role("button", name="Make my calendar").click()
    page.get_by_label("Practicals of ABC 123").select_option("P02")
    page.get_by_role("button", name="Apply").click()
    expect(user.classes).to_have_count(4)
    assert by_icalendar(user.download())
    user.console_errors[:] = [error for error in user.console_errors if error != _BLOCKED]


def test_a_file_that_was_chosen_before_the_scripts_came_is_sent_by_them(
    new_user: NewUser, application: ApiProcess, tmp_path: Path
) -> None:
    """The file need not be chosen again, and the button disappears."""
    user = new_user(application.url, width=390)
    waiting: list[Route] = []
    released: list[bool] = []

    def hold(route: Route) -> None:
        if released:
            route.continue_()
        else:
            waiting.append(route)

    user.page.route(_SCRIPTS, hold)
    user.page.goto("/", wait_until="commit")
    user.choose(schedules.semester_tests(tmp_path))
    send = user.page.get_by_role("button", name="Upload this file")
    expect(send).to_be_visible()
    released.append(True)
    for route in waiting:
        route.continue_()
    expect(user.state("tests.pdf")).to_have_text("Read: 2 tests")
    expect(send).to_be_hidden()
    expect(user.cards).to_have_count(1)


def test_no_button_is_shown_once_the_scripts_are_there(
    new_user: NewUser, application: ApiProcess, tmp_path: Path
) -> None:
    """Scripts upload automatically, so no button is needed."""
    user = new_user(application.url)
    user.page.goto("/")
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    expect(user.page.get_by_role("button", name="Upload this file")).to_be_hidden()
    expect(user.page.get_by_role("button", name="Apply")).to_be_hidden()
