"""Chromium before the real application, its worker and its servers."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.browser.user import Visitor
from tests.support.isolated_servers import Rooms
from tests.support.processes.application import ApiProcess, api_process, worker_process
from tools.prerequisites import find_chromium

_ARGUMENTS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# The machine may be busy with other tests.
expect.set_options(timeout=30_000)

NewVisitor = Callable[..., Visitor]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or the one that playwright installed.

    Playwright's event loop runs in the main thread until the fixture ends, so no asynchronous test can run meanwhile.
    """
    # As root Chromium refuses its sandbox.
    arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def application(rooms: Rooms, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """The API with a worker."""
    environment, logs = rooms.furnish("browser"), tmp_path_factory.mktemp("browser")
    with worker_process(environment, logs / "worker.log"), api_process(environment, logs / "api.log") as running:
        yield running


@pytest.fixture
def new_visitor(chromium: Browser, tmp_path: Path) -> Iterator[NewVisitor]:
    """Somebody with a browser of their own: `new_visitor(url, width=390)`. No error may reach the console."""
    visitors: list[Visitor] = []

    def arrive(url: str, *, width: int = 1440, height: int = 900, **options: Any) -> Visitor:
        context = chromium.new_context(
            base_url=url, viewport={"width": width, "height": height}, locale="en-ZA", **options
        )
        context.set_default_timeout(30_000)
        visitors.append(Visitor(context.new_page()))
        return visitors[-1]

    yield arrive
    for number, visitor in enumerate(visitors):
        visitor.page.screenshot(path=tmp_path / f"visitor-{number}.png", full_page=True)
        visitor.page.context.close()
    assert [complaint for visitor in visitors for complaint in visitor.complaints] == []


@pytest.fixture
def visitor(new_visitor: NewVisitor, application: ApiProcess) -> Visitor:
    """On the page, at a desk."""
    found = new_visitor(application.url)
    found.page.goto("/")
    return found
