"""A user of the page, and the errors on the console of the browser."""

import re
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

#: Chromium says so of every answer of 400 and more; whether it was expected is the test's business.
_REFUSED = re.compile(
    r"Failed to load resource: the server responded with a status of 4\d\d"
    # What playwright says where a test does not ask for the service worker.
    r"|Service Worker registration blocked by Playwright"
)


class User:
    """Acts as a person does; `requested` are the addresses that the browser asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console_errors: list[str] = []
        self.requested: list[str] = []
        page.on("console", self._record)
        page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        page.on("request", lambda request: self.requested.append(request.url))

    @property
    def cards(self) -> Locator:
        return self.page.locator("#cards > li")

    def card(self, name: str) -> Locator:
        return self.cards.filter(has_text=name)

    def state(self, name: str) -> Locator:
        return self.card(name).locator("[data-field=state]")

    def choose(self, *files: Path) -> None:
        self.page.set_input_files("#file", files)

    def drop(self, files: Sequence[Path]) -> None:
        """Drops files on the page like a file manager."""
        contents = [{"name": file.name, "bytes": list(file.read_bytes())} for file in files]
        transfer = self.page.evaluate_handle(
            """files => {
                const transfer = new DataTransfer();
                for (const { name, bytes } of files) {
                    transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "application/pdf" }));
                }
                return transfer;
            }""",
            contents,
        )
        for kind in ("dragenter", "dragover", "drop"):
            self.page.dispatch_event(".drop", kind, {"dataTransfer": transfer})

    def await_calendar(self) -> None:
        """Until everything that was read is in the calendar."""
        expect(self.page.locator("#download")).to_be_visible()
        expect(self.page.locator("form[data-make]")).to_have_count(0)

    @property
    def classes(self) -> Locator:
        """The classes of the typical weeks, whichever view is shown."""
        return self.page.locator(".view--typical .slot")

    def view(self, name: str) -> None:
        """Chooses a view by its label, like a finger: the radio button itself is not visible."""
        self.page.locator(".switch label", has_text=name).click()

    def view_by_date(self) -> None:
        """Tests and exams by month."""
        self.view("Tests and exams")

    def remove(self, name: str) -> None:
        """Until the server has removed it: not before it is too late to undo it."""
        self.page.get_by_role("button", name=f"Remove {name}").click()
        with self.page.expect_response(lambda answer: answer.url.endswith("/remove")):
            expect(self.page.locator("#undo")).to_be_visible()
        expect(self.page.locator("#undo")).to_be_hidden()

    def download(self) -> bytes:
        """The calendar's file."""
        with self.page.expect_download() as started:
            self.page.locator("#download").click()
        return started.value.path().read_bytes()

    def tab_to(self, selector: str) -> None:
        """Presses the Tab key until the element has the focus, which is not for ever."""
        for _ in range(80):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        message = f"{selector} is not reached with the keyboard"
        raise AssertionError(message)

    def overflows(self) -> bool:
        """Whether the page is wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth > innerWidth")

    def keep_screenshot(self, path: Path) -> None:
        """Stores a picture of the whole page."""
        self.page.screenshot(path=path, full_page=True)

    def _record(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not _REFUSED.match(message.text):
            self.console_errors.append(message.text)
