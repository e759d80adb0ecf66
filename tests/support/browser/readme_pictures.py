"""Makes the pictures of the README: `python -m tests.support.browser.readme_pictures`.

Starts the whole service, uploads generated documents, takes the best groups, and photographs the choice of groups on a
phone and a week on a computer.
"""

import base64
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from perf.stack import running_stack
from tests.support.browser import schedules
from tests.support.browser.user import User
from tools.prerequisites import find_chromium

_IMAGES = Path(__file__).parents[3] / "docs" / "images"
_QUALITY = 82
_MARGIN = 16
_ROWS = (
    ("ABC 123", "G01", ("L1", 0, "08:30 - 09:20", "Maple 3-7"), ("L2", 3, "10:30 - 11:20", "Oak 2-26")),
    ("ABC 123", "G02", ("L1", 1, "07:30 - 08:20", "Maple 3-7"), ("L2", 4, "12:30 - 13:20", "Oak 2-26")),
    ("ABC 123", "P01", ("P1", 1, "14:30 - 17:20", "Computatorium Red Lab")),
    ("ABC 123", "P02", ("P1", 2, "14:30 - 17:20", "Computatorium Grey Lab")),
    ("KLM 256", "G01", ("L1", 0, "10:30 - 12:20", "Cedar 1-1"), ("L2", 2, "09:30 - 10:20", "Cedar 1-1")),
    ("KLM 256", "T01", ("T1", 4, "08:30 - 10:20", "Maple 2-2")),
    ("KLM 256", "T02", ("T1", 3, "10:30 - 12:20", "Maple 2-2")),
    ("PQR 122", "G01", ("L1", 1, "09:30 - 11:20", "Great Hall"), ("L2", 3, "08:30 - 09:20", "Great Hall")),
    ("PQR 122", "P01", ("P1", 3, "13:30 - 16:20", "Chemistry 4-12")),
    ("XYZ 214", "G01", ("L1", 0, "08:30 - 10:20", "Great Hall"), ("L2", 4, "10:30 - 11:20", "Great Hall")),
    ("XYZ 214", "G02", ("L1", 1, "15:30 - 16:20", "Oak 2-26"), ("L2", 2, "11:30 - 13:20", "Great Hall")),
)
#: A week with a test on its Saturday.
_WEEK = "/?week=2026-08-17"


def _photograph(page: Page, path: Path, *, part: str, height: float | None = None) -> None:
    """From the top of this part: all of it, or so many pixels."""
    page.evaluate("document.activeElement.blur()")
    box = page.locator(part).bounding_box()
    if box is None:
        message = f"{part} is not shown"
        raise RuntimeError(message)
    clip = {"x": max(box["x"] - _MARGIN, 0), "y": max(box["y"] - _MARGIN, 0), "width": box["width"] + 2 * _MARGIN}
    clip |= {"height": height or box["height"] + 2 * _MARGIN, "scale": 1}
    session = page.context.new_cdp_session(page)
    wanted = {"format": "webp", "quality": _QUALITY, "captureBeyondViewport": True, "clip": clip}
    path.write_bytes(base64.b64decode(session.send("Page.captureScreenshot", wanted)["data"]))


def _pictures(browser: Browser, url: str, directory: Path) -> None:
    context = browser.new_context(
        base_url=url, viewport={"width": 390, "height": 844}, color_scheme="light", service_workers="block"
    )
    user = User(context.new_page())
    page = user.page
    page.goto("/")
    user.choose(schedules.lectures(directory, _ROWS), schedules.semester_tests(directory))
    user.await_calendar()
    page.goto("/groups")
    _photograph(page, _IMAGES / "groups.webp", part="#groups", height=844)
    page.get_by_role("button", name="Take combination 1").click()
    expect(page.locator("#current")).to_be_visible()
    page.set_viewport_size({"width": 1200, "height": 900})
    page.goto(_WEEK)
    _photograph(page, _IMAGES / "week.webp", part="#views")
    context.close()


def main() -> None:
    with ExitStack() as running:
        directory = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="upschedule-pictures-")))
        stack = running.enter_context(running_stack(Path(sys.executable)))
        # As root Chromium refuses its sandbox.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        playwright = running.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=options)
        _pictures(browser, stack.url, directory)


if __name__ == "__main__":
    main()
