"""The source of an entry is shown as a picture of its row on every device, and as text once the PDF is deleted."""

from contextlib import ExitStack
from pathlib import Path

import psycopg
from playwright.sync_api import Locator, expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.screens import check_screen
from tests.support.browser.user import User
from tests.support.processes.application import ApiProcess, api_process, worker_process
from tests.support.servers import Database

_EMAIL, _PASSWORD = "evidence@example.org", "correct horse battery"
_IS_DRAWN = "image => image.complete && image.naturalWidth > 800 && image.naturalHeight < 200"


def _open(user: User) -> Locator:
    """The picture beside the class."""
    user.view("All classes")
    user.page.locator(".view--typical").get_by_role("link", name="Edit ABC 123 L2").click()
    return user.page.locator(".evidence img")


def _await_drawn(picture: Locator) -> None:
    expect(picture).to_have_count(1)
    handle = picture.element_handle()
    picture.page.wait_for_function(_IS_DRAWN, arg=handle)


def _sign(user: User, path: str, button: str) -> None:
    user.page.goto(path)
    user.page.get_by_label("E-mail address").fill(_EMAIL)
    user.page.get_by_label("Password").fill(_PASSWORD)
    user.page.get_by_role("button", name=button, exact=True).click()


def test_an_entry_shows_its_row_on_every_device_and_later_its_text(
    *,
    new_user: NewUser,
    running: ExitStack,
    own_environment: dict[str, str],
    database: Database,
    tmp_path: Path,
) -> None:
    """The row is drawn from the PDF while that exists; a browser asks for it once."""
    running.enter_context(worker_process(own_environment, tmp_path / "worker.log"))
    application = running.enter_context(api_process(own_environment, tmp_path / "api.log"))
    user = new_user(application.url)
    user.page.goto("/")
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    picture = _open(user)
    _await_drawn(picture)
    expect(user.page.locator(".evidence figcaption")).to_have_text("lectures.pdf, page 1, row 1")
    facts = user.page.locator(".evidence-facts")
    expect(facts).to_contain_text("S2 (second semester)")
    expect(facts).to_contain_text("Oak 2-26")
    user.page.get_by_text("This row is wrong").click()
    check_screen(user, tmp_path, "evidence")
    user.page.get_by_label("What is wrong?").fill("The room is Oak 2-27.")
    user.page.get_by_label("Send the PDF as well").check()
    user.page.get_by_role("button", name="Send it").click()
    expect(user.page.locator("#sent")).to_contain_text("Sent with the PDF.")
    address = user.page.url.partition("?")[0]

    with psycopg.connect(database.owner_dsn) as connection:
        [(event, remark, agreed)] = connection.execute(
            "SELECT event, remark, file_until > now() + interval '13 days' FROM row_reports"
        ).fetchall()
    assert (event["activity"], event["venues"], remark, agreed) == ("L2", ["Oak 2-26"], "The room is Oak 2-27.", True)

    _sign(user, "/account/sign-up", "Sign up")
    _sign(user, "/account/sign-in", "Sign in")
    expect(user.cards).to_have_count(2)
    phone = new_user(application.url, width=390)
    _sign(phone, "/account/sign-in", "Sign in")
    expect(phone.cards).to_have_count(2)
    phone.page.goto(address)
    _await_drawn(phone.page.locator(".evidence img"))

    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("UPDATE jobs SET object_key = NULL, stored_at = NULL")
    phone.page.reload()
    expect(phone.page.locator(".evidence img")).to_have_count(0)
    expect(phone.page.locator(".evidence")).to_contain_text("The PDF was deleted")
    expect(phone.page.locator(".evidence-facts")).to_contain_text("Oak 2-26")
    assert not phone.overflows()


def test_a_row_is_shown_to_its_owner_only(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """To another visitor its address is none."""
    user, other = new_user(application.url), new_user(application.url)
    for each in (user, other):
        each.page.goto("/")
        each.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
        each.await_calendar()
    picture = _open(user)
    _await_drawn(picture)
    address = picture.get_attribute("src") or ""
    own = user.page.context.request.get(address)
    assert own.status == 200
    assert own.headers["content-type"] == "image/png"
    assert own.headers["cache-control"] == "private, max-age=86400, immutable"
    assert other.page.context.request.get(address).status == 404


def test_the_rows_that_were_read_are_counted_and_doubtful_ones_come_first(user: User, tmp_path: Path) -> None:
    """A test whose weekday contradicts its date is to be checked; its row is one click away."""
    page = user.page
    page.goto("/")
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path, weekday="Monday"))
    user.await_calendar()
    expect(user.card("lectures.pdf")).to_contain_text("4 of 4 rows read")
    expect(user.card("tests.pdf")).to_contain_text("2 of 2 rows read, 2 to check")
    expect(page.locator(".modules .hue-crimson, .module").first).to_contain_text("rows read")
    first = page.locator(".to-check")
    expect(first.get_by_role("heading")).to_have_text("2 rows to check first")
    check_screen(user, tmp_path, "rows-to-check")
    first.get_by_role("link", name="ABC 123 Test1").click()
    _await_drawn(page.locator(".evidence img"))
