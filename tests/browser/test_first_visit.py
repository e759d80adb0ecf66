"""The number of taps and the time of a first visit on a phone, from the PDF to a calendar without clashes."""

import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.conftest import NewUser
from tests.browser.test_groups import ROWS
from tests.support.browser import schedules
from tests.support.calendar_parsers import by_icalendar
from tests.support.processes.application import ApiProcess

_ANDROID = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari/537.36"
)
_TAPS_MAX = 7
_SECONDS_MAX = 60
#: One tap opens the phone's picker, and one chooses the file in it.
_TAPS_TO_CHOOSE = 2


def test_a_calendar_without_clashes_takes_fewer_than_eight_taps_and_less_than_a_minute(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Lectures print no year, so the question about the year needs one tap more than other schedules."""
    pdf = schedules.lectures(tmp_path, ROWS)
    user = new_user(application.url, width=390, user_agent=_ANDROID, has_touch=True, is_mobile=True)
    page, taps, begun = user.page, 0, time.monotonic()

    def tap(target: Locator) -> None:
        nonlocal taps
        target.tap()
        taps += 1

    page.goto("/")
    with page.expect_file_chooser() as opened:
        page.locator("label[for=file]").tap()
    opened.value.set_files(pdf)
    taps += _TAPS_TO_CHOOSE
    tap(page.get_by_role("button", name="2026"))
    tap(page.get_by_role("link", name="Choose groups"))
    tap(page.get_by_role("button", name="Take combination 1: no clash"))
    expect(page.locator("#current")).to_contain_text("Your groups now: no clash")
    tap(page.locator("#current").get_by_role("link", name="Get the calendar"))
    with page.expect_download() as started:
        tap(page.get_by_role("link", name="Open in your calendar app"))
    document = started.value.path().read_bytes()
    seconds = time.monotonic() - begun

    assert by_icalendar(document)
    assert b"P01" not in document.replace(b"\r\n ", b"")
    expect(page.locator("#choose-groups")).to_contain_text("Your groups have no clash")
    record_property("taps", taps)
    record_property("seconds", round(seconds, 1))
    assert taps <= _TAPS_MAX
    assert seconds < _SECONDS_MAX
