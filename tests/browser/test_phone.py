"""The page as an application of a phone: without a connection, and as a target to share files with."""

import json
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.processes.application import ApiProcess
from tests.support.servers import wait_until

_KEPT = """async () => {
    const page = await caches.match("/", { cacheName: "pages" });
    return page ? await page.text() : "";
}"""
_SHARE = """async ({ name, bytes }) => {
    const form = document.createElement("form");
    Object.assign(form, { action: "/documents?shared=yes", method: "post", enctype: "multipart/form-data" });
    const input = Object.assign(document.createElement("input"), { type: "file", name: "file" });
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(bytes)], name, { type: "application/pdf" }));
    input.files = files.files;
    form.append(input);
    document.body.append(form);
    form.submit();
}"""


def _until_kept(page: Page, text: str) -> None:
    wait_until(lambda: text in page.evaluate(_KEPT), timeout_seconds=60)


def test_the_last_timetable_is_shown_without_a_connection_and_leaves_with_the_account(
    new_user: NewUser, application: ApiProcess, tmp_path: Path
) -> None:
    """The stored page has its styles and a sentence with its time."""
    user = new_user(application.url, width=390, service_workers="allow")
    page = user.page
    page.goto("/")
    user.choose(schedules.lectures(tmp_path), schedules.semester_tests(tmp_path))
    user.await_calendar()
    _until_kept(page, "XYZ 214")
    page.context.set_offline(offline=True)
    page.goto("/?week=2026-08-17")
    expect(page.locator("#offline")).to_contain_text("No connection. This is your timetable as of")
    user.view("All classes")
    expect(user.classes).to_have_count(5)
    assert page.evaluate("getComputedStyle(document.body).display") == "grid"
    page.context.set_offline(offline=False)
    page.goto("/account")
    page.get_by_role("checkbox", name="Yes, delete everything").check()
    page.get_by_role("button", name="Delete everything").click()
    wait_until(lambda: "XYZ 214" not in page.evaluate(_KEPT), timeout_seconds=60)
    user.console_errors[:] = [error for error in user.console_errors if "ERR_INTERNET_DISCONNECTED" not in error]


def test_a_pdf_that_a_phone_shares_is_uploaded(new_user: NewUser, application: ApiProcess, tmp_path: Path) -> None:
    """The service worker accepts it, and the page uploads it like a chosen file."""
    user = new_user(application.url, width=390, service_workers="allow")
    page = user.page
    page.goto("/")
    _until_kept(page, "Choose your PDFs")
    page.reload()
    pdf = schedules.lectures(tmp_path)
    page.evaluate(_SHARE, {"name": pdf.name, "bytes": list(pdf.read_bytes())})
    expect(user.state("lectures.pdf")).to_have_text("Read: 5 weekly classes")
    assert "shared" not in page.url


def test_a_phone_can_install_the_page(application: ApiProcess) -> None:
    """Every icon in the manifest exists, and the address to which files are shared accepts them."""
    page = httpx.get(application.url)
    assert 'href="/manifest.webmanifest"' in page.text
    assert "manifest-src 'self'" in page.headers["content-security-policy"]
    answer = httpx.get(f"{application.url}/manifest.webmanifest")
    manifest = json.loads(answer.content)
    assert answer.headers["content-type"].startswith("application/manifest+json")
    assert {icon["sizes"] for icon in manifest["icons"]} == {"192x192", "512x512", "any"}
    for icon in manifest["icons"]:
        assert httpx.get(application.url + icon["src"]).status_code == 200
    assert manifest["share_target"]["params"]["files"][0]["name"] == "file"
    worker = httpx.get(f"{application.url}/service-worker.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.headers["cache-control"] == "no-cache"
