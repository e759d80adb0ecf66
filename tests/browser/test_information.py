"""Links to help, privacy and terms at the foot of every page, on each width and in both themes."""

from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser.screens import check_screen
from tests.support.browser.user import User


def test_help_privacy_and_terms_are_at_the_foot_of_the_page(user: User, tmp_path: Path) -> None:
    """The pages are accessible and have the figures of the settings."""
    page = user.page
    page.get_by_role("link", name="Help", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Help")
    drawing = page.get_by_role("img", name="Drawing of three steps")
    expect(drawing).to_have_js_property("complete", value=True)
    assert drawing.evaluate("image => image.naturalWidth") > 100
    check_screen(user, tmp_path, "help")
    page.get_by_role("link", name="Privacy", exact=True).click()
    expect(page.get_by_text("Your PDFs: 24 hours after you have added them.")).to_be_visible()
    expect(page.get_by_role("link", name="delete everything")).to_have_attribute("href", "/account")
    check_screen(user, tmp_path, "privacy")
    page.get_by_role("link", name="Terms", exact=True).click()
    expect(page.get_by_text("An hour allows 10 uploads")).to_be_visible()
    check_screen(user, tmp_path, "terms")
