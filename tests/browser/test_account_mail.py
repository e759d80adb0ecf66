"""The links that are sent by mail, on each width and in both themes."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewUser
from tests.support.browser.screens import check_screen
from tests.support.isolated_servers import IsolatedServers
from tests.support.mailbox import Mailbox, receiving_mail
from tests.support.processes.application import ApiProcess, api_process
from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import LOOPBACK

_EMAIL = "letters@example.org"
_PASSWORD = "correct horse battery"
_NEW_PASSWORD = "a new long password"
_LINK = re.compile(r"https?://[^/]+(/account/[\w/-]+)")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with receiving_mail(None) as running:
        yield running


@pytest.fixture
def mail_application(
    isolated_servers: IsolatedServers, running: ExitStack, mailbox: Mailbox, tmp_path: Path
) -> ApiProcess:
    """The API with a mail server."""
    environment = isolated_servers.start("browser-mail") | {
        "UPSCHEDULE_MAIL_HOST": LOOPBACK,
        "UPSCHEDULE_MAIL_PORT": str(mailbox.port),
        "UPSCHEDULE_MAIL_SECURITY": "none",
    }
    return running.enter_context(api_process(environment, tmp_path / "api.log"))


def _link(mailbox: Mailbox, number: int) -> str:
    wait_until(lambda: len(mailbox.texts(_EMAIL)) == number)
    found = _LINK.search(mailbox.texts(_EMAIL)[-1])
    assert found
    return found[1]


def test_an_address_is_confirmed_and_a_password_replaced_by_links(
    new_user: NewUser, mail_application: ApiProcess, mailbox: Mailbox, tmp_path: Path
) -> None:
    """Every page on the way is accessible."""
    user = new_user(mail_application.url)
    page = user.page
    page.goto("/account/sign-up")
    page.get_by_label("E-mail address").fill(_EMAIL)
    page.get_by_label("Password").fill(_PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
    check_screen(user, tmp_path, "sent")
    page.goto(_link(mailbox, 1))
    check_screen(user, tmp_path, "confirm")
    page.get_by_label("Password").fill(_PASSWORD)
    page.get_by_role("button", name="Confirm and sign in").click()
    expect(page.locator("#upload")).to_be_visible()
    page.goto("/account")
    expect(page.get_by_text(_EMAIL)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()

    page.goto("/account/sign-in")
    page.get_by_role("link", name="Forgot your password?").click()
    check_screen(user, tmp_path, "forgot")
    page.get_by_label("E-mail address").fill(_EMAIL)
    page.get_by_role("button", name="Send the message").click()
    expect(page.get_by_text("If letters@example.org has an account")).to_be_visible()
    link = _link(mailbox, 2)
    page.goto(link)
    check_screen(user, tmp_path, "reset")
    page.get_by_label("New password", exact=True).fill(_NEW_PASSWORD)
    page.get_by_role("button", name="Use this password").click()
    expect(page.get_by_role("status")).to_contain_text("The password is changed.")
    page.get_by_label("E-mail address").fill(_EMAIL)
    page.get_by_label("Password").fill(_NEW_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#upload")).to_be_visible()
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link is no longer valid")
    check_screen(user, tmp_path, "expired")
