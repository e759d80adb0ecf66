"""Real weeks with their dates, on each width."""

import datetime as dt
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.accessibility import violations
from tests.support.browser.user import User
from tests.support.processes.application import ApiProcess

#: Many groups have the same hours and rooms with long names.
CROWDED_ROWS = (
    *schedules.LECTURE_ROWS,
    *(("ABC 123", f"P0{n}", ("P1", 1, "14:30 - 17:20", f"Computatorium Aubergine Lab {n}")) for n in (3, 4)),
    (
        "WXY 320",
        "G01",
        ("L1", 0, "08:30 - 09:20", "Mineral Sciences Building 4-15"),
        ("T1", 5, "07:30 - 08:20", "Oak 2-26"),
    ),
    ("QRS 281", "G01", ("L1", 3, "10:30 - 11:20", "Centenary Building 4-11"), ("L2", 4, "16:30 - 17:20", "Thuto 1-1")),
)
#: Elements whose text is cut off, or overflows the element around it.
_CUT = """() => [...document.querySelectorAll("main .views *")]
    .filter(element => element.checkVisibility() && !element.closest(".visually-hidden, .month-page"))
    .filter(element => {
        const style = getComputedStyle(element), own = element.getBoundingClientRect();
        const tooWide = element.scrollWidth > element.clientWidth + 1 && style.display !== "inline";
        const tooHigh = element.scrollHeight > element.clientHeight + 1 && style.overflow !== "visible";
        const slot = element.closest(".slot")?.getBoundingClientRect();
        return tooHigh || tooWide || (slot && (own.right > slot.right + 1 || own.bottom > slot.bottom + 1));
    })
    .map(element => `${element.className}: ${element.textContent.trim()}`)"""
#: Pairs of classes of which one covers the other.
_COVERED = """() => {
    const boxes = [...document.querySelectorAll(".views .slot")].filter(slot => slot.checkVisibility())
        .map(slot => [slot.textContent.trim(), slot.getBoundingClientRect()]);
    return boxes.flatMap(([text, a], n) => boxes.slice(n + 1)
        .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
        .map(([other]) => [text, other]));
}"""


def _week(user: User, monday: dt.date) -> None:
    user.page.goto(f"/?week={monday}")


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_no_room_is_cut_off(new_user: NewUser, application: ApiProcess, tmp_path: Path, colour_scheme: str) -> None:
    """This holds in each view and on each width, with four parallel groups and rooms with long names."""
    user = new_user(application.url, color_scheme=colour_scheme)
    user.page.goto("/")
    user.choose(
        schedules.lectures(tmp_path, CROWDED_ROWS), schedules.semester_tests(tmp_path), schedules.exams(tmp_path)
    )
    user.await_calendar()
    _week(user, dt.date(2026, 8, 17))
    for view in ("Week", "Tests and exams", "Agenda", "All classes"):
        user.view(view)
        for width in (320, 390, 768, 960, 1280, 1440, 1920):
            user.page.set_viewport_size({"width": width, "height": 900})
            assert user.page.evaluate(_CUT) == [], width
            assert user.page.evaluate(_COVERED) == [], width
            assert not user.overflows(), width
            if width in {390, 1440}:
                assert violations(user.page) == [], width
                user.keep_screenshot(tmp_path / f"{view}-{width}-{colour_scheme}.png")


def _read(user: User, directory: Path) -> None:
    user.choose(schedules.lectures(directory), schedules.semester_tests(directory), schedules.exams(directory))
    user.await_calendar()


def _slots(user: User, day: str) -> Locator:
    return user.page.locator(".view--week .day", has_text=day).locator(".slot")


def test_a_week_leads_to_the_next(user: User, tmp_path: Path) -> None:
    """The test uses the keyboard, and the week has a public holiday. A choice and a reload keep the week."""
    _read(user, tmp_path)
    page, title = user.page, user.page.locator("#week-title")
    _week(user, dt.date(2026, 8, 3))
    expect(_slots(user, "Monday 3 Aug")).to_have_count(2)
    page.locator("#week-following").focus()
    page.keyboard.press("Enter")
    expect(title).to_have_text("10 to 15 August 2026")
    assert page.evaluate("document.activeElement.id") == "week-following"
    expect(page.locator("#announcer")).to_have_text("10 to 15 August 2026")
    monday = page.locator(".view--week .day", has_text="Monday 10 Aug")
    expect(monday).to_contain_text("Women's Day")
    expect(monday.locator(".slot")).to_have_count(0)
    expect(_slots(user, "Tuesday 11 Aug")).to_have_count(1)
    page.get_by_label("Practicals of ABC 123").select_option("P02")
    expect(_slots(user, "Tuesday 11 Aug")).to_have_count(0)
    expect(_slots(user, "Wednesday 12 Aug")).to_have_count(1)
    expect(title).to_have_text("10 to 15 August 2026")
    page.reload()
    expect(title).to_have_text("10 to 15 August 2026")


def test_weeks_need_no_javascript(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """Links lead from week to week, and a form returns to the week from which it was sent."""
    user = new_user(application.url, java_script_enabled=False)
    page = user.page
    page.goto("/")
    for document in (schedules.lectures(tmp_path), schedules.semester_tests(tmp_path)):
        user.choose(document)
        page.get_by_role("button", name="Upload this file").click()
        expect(user.state(document.name)).to_contain_text("Read:")
    page.get_by_role("button", name="Make my calendar").click()
    _week(user, dt.date(2026, 8, 10))
    page.get_by_role("link", name="The week after").click()
    expect(page.locator("#week-title")).to_have_text("17 to 22 August 2026")
    expect(_slots(user, "Saturday 22 Aug")).to_contain_text("Test1")
    page.get_by_label("Practicals of ABC 123").select_option("P02")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#week-title")).to_have_text("17 to 22 August 2026")
    expect(_slots(user, "Tuesday 18 Aug")).to_have_count(0)


def test_the_chosen_view_stays(user: User, tmp_path: Path) -> None:
    """It stays after a change and after a reload. A link continues the agenda."""
    _read(user, tmp_path)
    user.page.goto("/?from=2026-08-10")
    days = user.page.locator(".agenda-day h4")
    # The class on Monday is cancelled because of the public holiday.
    expect(days.first).to_have_text("Tuesday 11 August")
    user.page.get_by_role("link", name="Later").click()
    expect(days.first).not_to_have_text("Tuesday 11 August")
    user.view("All classes")
    user.page.get_by_label("Practicals of ABC 123").select_option("P02")
    expect(user.classes).to_have_count(4)
    expect(user.classes.first).to_be_visible()
    user.page.reload()
    expect(user.classes.first).to_be_visible()


def test_what_happens_at_the_same_time_is_marked(user: User, tmp_path: Path) -> None:
    """On Mondays two modules overlap, and the test on Saturday overlaps nothing."""
    _read(user, tmp_path)
    _week(user, dt.date(2026, 8, 17))
    expect(_slots(user, "Monday 17 Aug").locator(".clash")).to_have_count(2)
    expect(_slots(user, "Saturday 22 Aug").locator(".clash")).to_have_count(0)


@pytest.mark.parametrize(("width", "colour_scheme"), [(390, "dark"), (1440, "light")])
def test_who_comes_back_sees_first_what_comes_next(
    new_user: NewUser, application: ApiProcess, tmp_path: Path, width: int, colour_scheme: str
) -> None:
    """It is at the top of the page, except on the first visit, where it would push the page down."""
    user = new_user(application.url, width=width, color_scheme=colour_scheme)
    user.page.goto("/")
    first = schedules.TEST_ROWS[0][2]
    years = next(n for n in range(100) if first + dt.timedelta(weeks=52 * n) > dt.datetime.now(tz=dt.UTC).date())
    user.choose(schedules.semester_tests(tmp_path, years_later=years))
    user.await_calendar()
    expect(user.page.locator(".now")).to_have_count(0)
    user.page.reload()
    now = user.page.locator(".now")
    expect(now).to_contain_text("10:00 ABC 123 Test1")
    expect(now).to_contain_text("Maple 3-7")
    boxes = now.bounding_box(), user.page.locator("#upload").bounding_box()
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] + boxes[0]["height"] < boxes[1]["y"]
    assert violations(user.page) == []
    user.keep_screenshot(tmp_path / "now.png")
