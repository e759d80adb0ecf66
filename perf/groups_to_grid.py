"""How long a slow phone takes from the choice of a group to the week that shows it.

Starts the whole service and uploads a schedule with many groups. Chromium opens the page with a processor four times
slower (set by DevTools) and chooses groups; each time runs from the event of the choice until the frame with the new
week has been drawn.
"""

import os
import platform
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from perf.stack import running_stack
from tests.support.browser import schedules
from tests.support.browser.user import User
from tools.prerequisites import find_chromium

BOUND_MS = 100.0

_PROCESSOR_SLOWER = 4
_CHOICES = 30
_WIDTHS = (390, 1440)
#: Modules, and groups of each kind: lectures, practicals and tutorials, with two, one and one class a week.
_SIZES = ((6, 3), (10, 5))
_PERIODS = ("07:30 - 08:20", "08:30 - 09:20", "09:30 - 10:20", "11:30 - 12:20", "13:30 - 14:20", "15:30 - 16:20")
_CHOOSE = """async (number) => {
    const fields = document.querySelectorAll("form.modules select");
    const field = fields[number % fields.length];
    field.selectedIndex = 1 + number % (field.options.length - 1);
    const renewed = new Promise((resolve) => document.addEventListener("parts:new", resolve, { once: true }));
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const started = performance.now();
    field.dispatchEvent(new Event("change", { bubbles: true }));
    // The callback of the frame runs before its layout and drawing, and the next task after them.
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const took = performance.now() - started;
    await renewed;
    return [took, document.querySelectorAll(".view--week .slot").length];
}"""


def schedule(directory: Path, *, modules: int, groups: int) -> Path:
    """One semester in which each module has so many groups of lectures, practicals and tutorials."""
    rows: list[tuple[object, ...]] = []
    for module in range(modules):
        for kind in "GPT":
            for group in range(groups):
                names = ("L1", "L2") if kind == "G" else (f"{kind}1",)
                classes = (
                    (name, (module + group + 2 * number) % 5, _PERIODS[(module * 2 + group + number) % 6], "Maple 3-7")
                    for number, name in enumerate(names)
                )
                rows.append((f"ABC {100 + module}", f"{kind}{group + 1:02}", *classes))
    return schedules.lectures(directory, rows)


def measure(browser: Browser, url: str, files: list[Path], width: int) -> tuple[list[float], int]:
    """The milliseconds of each choice, and the classes of the week that is shown before the first one."""
    context = browser.new_context(base_url=url, viewport={"width": width, "height": 844}, service_workers="block")
    try:
        user = User(context.new_page())
        user.page.goto("/")
        user.choose(*files)
        user.await_calendar()
        user.page.goto("/?week=2026-08-10")
        expect(user.page.locator("html[data-scripts=ready]")).to_be_attached()
        slots = user.page.locator(".view--week .slot").count()
        session = context.new_cdp_session(user.page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": _PROCESSOR_SLOWER})
        found = [user.page.evaluate(_CHOOSE, number) for number in range(_CHOICES)]
    finally:
        context.close()
    return [took for took, _ in found], slots


def main() -> int:
    """Prints a row for each size and width; 1 if a median is over the bound."""
    missed = False
    with ExitStack() as running:
        directory = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="upschedule-perf-")))
        stack = running.enter_context(running_stack(Path(sys.executable)))
        # As root Chromium refuses its sandbox.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = running.enter_context(sync_playwright()).chromium.launch(
            executable_path=find_chromium(), args=options
        )
        print(f"Chromium {browser.version}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}")
        for modules, groups in _SIZES:
            for width in _WIDTHS:
                files = [schedule(directory, modules=modules, groups=groups), schedules.semester_tests(directory)]
                took, slots = measure(browser, stack.url, files, width)
                median = statistics.median(took)
                print(f"{modules} modules, {groups} groups of each kind, {width} px, {slots} classes in the week:")
                print(f"  {median:.0f} ms in the median of {len(took)} choices, {max(took):.0f} ms at worst")
                missed |= median >= BOUND_MS
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
