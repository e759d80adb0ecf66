"""Each device offers another way to subscribe to a calendar."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.calendar_parsers import by_icalendar
from tests.support.processes.application import ApiProcess

_ANDROID = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile Safari/537.36"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile Safari/604.1"
_COMPUTER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "width", "main"),
    [
        (_ANDROID, 390, "Open in your calendar app"),
        (_IPHONE, 390, "Subscribe in Apple Calendar"),
        (_COMPUTER, 1440, "Add to Google Calendar (new tab)"),
    ],
)
def test_the_main_button_is_what_works_on_the_device(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, *, user_agent: str, width: int, main: str
) -> None:
    """Google's app cannot subscribe to a link, so a phone gets the steps for a computer instead."""
    user = new_user(application.url, width=width, user_agent=user_agent)
    page = user.page
    page.goto("/")
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    expect(page.locator("#take .button--main")).to_have_text(main)
    for details in page.locator("#take details").all():
        details.locator("summary").click()
    from_url = page.get_by_role("link", name="“From URL” in Google Calendar")
    if user_agent == _COMPUTER:
        expect(from_url).to_have_count(0)
        expect(page.locator("#take")).to_contain_text("Thunderbird")
    else:
        expect(page.locator('#take [href*="cid="]')).to_have_count(0)
        expect(from_url).to_have_attribute("href", "https://calendar.google.com/calendar/r/settings/addbyurl")
    # Each way is explained in three steps.
    for steps in page.locator("#take .steps").all():
        expect(steps.locator("li")).to_have_count(3)
    expect(page.locator("#take")).to_contain_text("Google looks for changes every 8 to 24 hours only")
    assert not user.overflows()
    user.keep_screenshot(tmp_path / "take.png")
    assert by_icalendar(user.download())
