"""An account from the sign-up to its deletion, on each width and in both themes, with and without scripts."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.screens import check_screen
from tests.support.browser.user import User
from tests.support.processes.application import ApiProcess

_EMAIL = "journey@example.org"
_PASSWORD = "correct horse battery"
_NEW_PASSWORD = "a new long password"


def _give(page: Page, button: str, *, email: str = _EMAIL, password: str = _PASSWORD) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name=button, exact=True).click()


def _change_password(page: Page, password: str) -> None:
    page.get_by_label("Your password now").fill(password)
    page.get_by_label("New password").fill(_NEW_PASSWORD)
    page.get_by_role("button", name="Change the password").click()


def test_an_account_from_its_beginning_to_its_end(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """A second device uses only forms.

    Documents from before the sign-up are there as well, until everything is deleted.
    """
    user = new_user(application.url)
    page = user.page
    page.goto("/account")
    check_screen(user, tmp_path, "sign-in")
    page.goto("/")
    user.choose(schedules.semester_tests(tmp_path))
    user.await_calendar()
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("No account yet")
    check_screen(user, tmp_path, "no-account")
    page.get_by_role("link", name="Sign up").click()
    _give(page, "Sign up", email="journey@example", password="password123")
    expect(page.get_by_label("E-mail address")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("E-mail address")).to_have_value("journey@example")
    expect(page.get_by_text("among the first that an attacker would guess")).to_be_visible()
    check_screen(user, tmp_path, "sign-up-refused")
    _give(page, "Sign up")
    expect(page.get_by_role("status")).to_contain_text("Now sign in")
    check_screen(user, tmp_path, "signed-up")
    page.get_by_label("Password").fill(_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(user.cards).to_have_count(1)

    elsewhere = new_user(application.url, java_script_enabled=False)
    other = elsewhere.page
    other.goto("/account/sign-in")
    _give(other, "Sign in")
    expect(elsewhere.cards).to_have_count(1)

    page.goto("/account")
    expect(page.locator(".sessions li")).to_have_count(2)
    _change_password(page, "not the password")
    expect(page.get_by_text("This is not your password.")).to_be_visible()
    expect(page.get_by_label("Your password now")).to_be_focused()
    check_screen(user, tmp_path, "account")
    _change_password(page, _PASSWORD)
    expect(page.get_by_role("status")).to_contain_text("The password is changed.")
    other.goto("/account")
    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    _give(other, "Sign in", password=_NEW_PASSWORD)

    other.get_by_role("link", name="Account").click()
    other.get_by_label("Your password", exact=True).fill(_NEW_PASSWORD)
    other.get_by_label("Yes, delete everything").check()
    other.get_by_role("button", name="Delete my account and everything in it").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("Everything is deleted")
    page.goto("/")
    expect(user.cards).to_have_count(0)
    expect(page.locator("#told")).to_contain_text("sign in if you have an account")


def test_the_account_page_needs_no_mouse(user: User) -> None:
    """The keyboard leads from the first page to the sign-up, in the order of the page (WCAG 2.1.1)."""
    user.tab_to("a[href='/account']")
    user.page.keyboard.press("Enter")
    expect(user.page.get_by_role("heading", name="Sign in")).to_be_visible()
    user.tab_to("a[href='/account/sign-up']")
    user.page.keyboard.press("Enter")
    expect(user.page.get_by_role("heading", name="Sign up")).to_be_visible()
    user.tab_to("#email")
    user.page.keyboard.type("keys@example.org")
    user.tab_to("#password")
    user.page.keyboard.type(_PASSWORD)
    user.page.keyboard.press("Enter")
    expect(user.page.get_by_role("status")).to_contain_text("Now sign in")
