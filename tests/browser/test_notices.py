"""Messages of the page about exceptional events, for sighted users and for screen readers."""

import re
from contextlib import ExitStack
from pathlib import Path

import pikepdf
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.accessibility import violations
from tests.support.browser.user import User
from tests.support.processes.application import ApiProcess, api_process


def test_a_removal_can_be_undone(user: User, tmp_path: Path) -> None:
    """The card disappears at once, and the focus is on the button to undo it. The calendar has not changed yet."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    page, undo = user.page, user.page.locator("#undo")
    page.get_by_role("button", name="Remove lectures.pdf").click()
    expect(user.cards).to_have_count(1)
    expect(undo).to_contain_text("lectures.pdf is removed.")
    expect(undo.get_by_role("button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(user.cards).to_have_count(2)
    expect(page.get_by_role("button", name="Remove lectures.pdf")).to_be_focused()
    expect(undo).to_be_hidden()
    expect(user.classes).to_have_count(5)


def test_a_removal_that_is_not_undone_moves_the_focus(user: User, tmp_path: Path) -> None:
    """The focus moves to the next document."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    user.remove("lectures.pdf")
    expect(user.classes).to_have_count(0)
    expect(user.page.get_by_role("button", name="Remove tests.pdf")).to_be_focused()


def test_a_removal_is_carried_out_when_the_page_is_left(user: User, tmp_path: Path) -> None:
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    user.page.get_by_role("button", name="Remove lectures.pdf").click()
    expect(user.cards).to_have_count(1)
    user.page.goto("/problems/not-found")
    user.page.goto("/")
    expect(user.cards).to_have_count(1)


def test_a_removal_whose_message_was_lost_on_leaving_is_sent_again(user: User, tmp_path: Path) -> None:
    """A browser may drop requests that a page sends while it is left, and the next page may be requested first."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    user.page.get_by_role("button", name="Remove lectures.pdf").click()
    expect(user.cards).to_have_count(1)
    user.page.evaluate("navigator.sendBeacon = () => false")
    user.page.goto("/problems/not-found")
    with user.page.expect_response(lambda answer: answer.url.endswith("/remove")) as repeated:
        user.page.goto("/")
    assert repeated.value.status < 400
    expect(user.cards).to_have_count(1)
    expect(user.classes).to_have_count(0)


def test_choosing_and_confirming_is_announced_and_keeps_the_focus(user: User, tmp_path: Path) -> None:
    """Users of screen readers do not see changes elsewhere on the page."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    page, announced = user.page, user.page.locator("#announcer")
    page.get_by_role("checkbox", name="XYZ 214").uncheck()
    expect(announced).to_have_text("5 of 7 entries are shown.")
    expect(page.get_by_role("checkbox", name="XYZ 214")).to_be_focused()
    page.get_by_label("Practicals of ABC 123").select_option("P02")
    expect(announced).to_have_text("4 of 7 entries are shown.")
    page.get_by_role("button", name="Confirm these dates").click()
    expect(announced).to_have_text("Saved. Your calendar follows these dates.")
    expect(page.locator("#dates-send")).to_be_focused()


def test_a_file_that_is_too_large_is_known_before_it_is_sent(user: User, tmp_path: Path) -> None:
    """Another attempt cannot help and is not offered."""
    large = tmp_path / "large.pdf"
    large.write_bytes(b"%PDF-1.7\n" + bytes(12_000_000))
    user.choose(large)
    expect(user.state("large.pdf")).to_contain_text("larger than 10 MB")
    expect(user.card("large.pdf").get_by_role("button", name="Try again")).to_have_count(0)
    assert not [url for url in user.requested if url.endswith("/api/v1/uploads")]
    user.page.get_by_role("button", name="Remove large.pdf").click()
    expect(user.cards).to_have_count(0)


def test_a_limit_says_when_to_try_again(
    new_user: NewUser, running: ExitStack, own_environment: dict[str, str], tmp_path: Path
) -> None:
    """The button appears when the hour is over, since an earlier attempt could not help."""
    limited = {**own_environment, "UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR": "1"}
    application = running.enter_context(api_process(limited, tmp_path / "api.log"))
    user = new_user(application.url)
    user.page.clock.install()
    user.page.goto("/")
    user.choose(schedules.lectures(tmp_path))
    expect(user.state("lectures.pdf")).to_contain_text("Waiting")
    user.choose(schedules.semester_tests(tmp_path))
    again = user.card("tests.pdf").get_by_role("button", name="Try again")
    expect(user.state("tests.pdf")).to_contain_text(re.compile(r"You can try again at \d\d:\d\d\."))
    expect(again).to_be_hidden()
    user.page.clock.fast_forward("01:00:01")
    expect(again).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_the_same_file_twice_gets_a_message(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, *, scripts: bool
) -> None:
    """The file is neither read nor shown twice."""
    user = new_user(application.url, java_script_enabled=scripts)
    user.page.goto("/")
    document = schedules.semester_tests(tmp_path)
    for message in ("", "tests.pdf is here already"):
        user.choose(document)
        if not scripts:
            user.page.get_by_role("button", name="Upload this file").click()
        expect(user.page.locator("#told")).to_contain_text(message)
        expect(user.cards).to_have_count(1)
        expect(user.state("tests.pdf")).to_contain_text("Read:")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_session_that_is_gone_says_what_to_do(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, *, scripts: bool
) -> None:
    """The page does not suggest to sign in, which it does not offer. A file that is chosen next is accepted."""
    user = new_user(application.url, java_script_enabled=scripts)
    page, document = user.page, schedules.semester_tests(tmp_path)
    page.goto("/")
    user.choose(document)
    if scripts:
        user.await_calendar()
    else:
        page.get_by_role("button", name="Upload this file").click()
        expect(user.state("tests.pdf")).to_contain_text("Read:")
        page.get_by_role("button", name="Make my calendar").click()
    page.context.add_cookies([{"name": "upschedule", "value": "gone", "url": application.url}])
    page.get_by_role("checkbox", name="XYZ 214").uncheck()
    if scripts:
        message = page.locator("#told")
    else:
        page.get_by_role("button", name="Apply").click()
        message = page.get_by_role("alert")
    expect(message).to_contain_text("Add your PDFs again")
    expect(message).to_contain_text("sign in if you have an account")
    # The link that the sentence names exists.
    expect(page.get_by_role("link", name="Account")).to_be_visible()
    if not scripts:
        page.get_by_role("link", name="Back to your schedule").click()
    user.choose(document)
    if not scripts:
        page.get_by_role("button", name="Upload this file").click()
    expect(user.state("tests.pdf")).to_contain_text("Read:")
    expect(page.locator("#told")).to_be_hidden()


@pytest.mark.parametrize(("width", "colour_scheme"), [(390, "dark"), (1440, "light")])
def test_every_page_of_a_problem_looks_like_the_others(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, width: int, colour_scheme: str
) -> None:
    """Each has a link to the first page and is accessible."""
    user = new_user(application.url, width=width, color_scheme=colour_scheme)
    for number, address in enumerate(("/nowhere", "/problems/pdf-too-large", "/shared/nothing", "/calendars/x.ics")):
        user.page.goto(address)
        expect(user.page.get_by_role("heading", level=1)).to_be_visible()
        expect(user.page.get_by_role("main").get_by_role("link")).to_have_attribute("href", "/")
        assert violations(user.page) == []
        assert not user.overflows()
        user.keep_screenshot(tmp_path / f"problem-{number}.png")


def test_a_printed_week_has_no_buttons(user: User, tmp_path: Path) -> None:
    """The current week is printed on one page."""
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    user.page.goto("/?week=2026-08-17")
    expect(user.page.get_by_role("button", name="Print")).to_be_visible()
    user.page.emulate_media(media="print")
    expect(user.page.locator(".view--week .slot").first).to_be_visible()
    for control in user.page.locator("button, .button, input, select, form").all():
        expect(control).to_be_hidden()
    user.page.pdf(prefer_css_page_size=True, path=tmp_path / "week.pdf")
    with pikepdf.open(tmp_path / "week.pdf") as printed:
        assert len(printed.pages) == 1
    user.keep_screenshot(tmp_path / "printed.png")
