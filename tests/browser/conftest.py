"""Fixtures with Chromium, the real application, its worker and its servers."""

import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.browser.user import User
from tests.support.isolated_servers import IsolatedServers
from tests.support.paths import ROOT
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

#: `.github/workflows/ci.yml` keeps this folder for a while.
SCREENSHOTS = ROOT / ".reports" / "screenshots"
NewUser = Callable[..., User]
_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Stores whether a test failed, for its fixtures."""
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture(autouse=True)
def kept_pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Copies the pictures of a test to a folder that a CI keeps: they show the screens as this commit draws them."""
    yield
    pictures = sorted(tmp_path.glob("*.png"))
    if pictures:
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{request.path.stem}-{request.node.name}")
        folder = SCREENSHOTS / name[:200]
        folder.mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            shutil.copy(picture, folder)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or the one that playwright installed.

    Playwright's event loop runs in the main thread until the fixture ends, so no asynchronous test can run meanwhile.
    """
    # Chromium refuses to use its sandbox as root.
    arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def application(isolated_servers: IsolatedServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """The API with a worker."""
    environment, logs = isolated_servers.start("browser"), tmp_path_factory.mktemp("browser")
    with worker_process(environment, logs / "worker.log"), api_process(environment, logs / "api.log") as running:
        yield running


@pytest.fixture
def running(own_environment: dict[str, str]) -> Iterator[ExitStack]:
    """Processes that a test starts. They end after the browsers, and before their database is removed."""
    with ExitStack() as processes:
        yield processes


@pytest.fixture
def new_user(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewUser]:
    """Creates a user with a new browser: `new_user(url, width=390)`. The test fails if an error reaches the console."""
    if "running" in request.fixturenames:
        # The fixture that is set up first is closed last, so that a page which still polls its status finds a server.
        request.getfixturevalue("running")
    users: list[User] = []

    def arrive(url: str, *, width: int = 1440, height: int = 900, **options: Any) -> User:
        # Playwright does not see requests that a service worker answers, so tests enable service workers explicitly.
        options = {"service_workers": "block", "locale": "en-ZA"} | options
        context = chromium.new_context(base_url=url, viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(30_000)
        users.append(User(context.new_page()))
        return users[-1]

    yield arrive
    for number, user in enumerate(users):
        # A picture of a long page takes seconds.
        if user.console_errors or request.node.stash.get(_FAILED, True):
            user.page.screenshot(path=tmp_path / f"user-{number}.png", full_page=True)
        user.page.context.close()
    assert [error for user in users for error in user.console_errors] == []


@pytest.fixture
def user(new_user: NewUser, application: ApiProcess) -> User:
    """A user on the first page, with a desktop browser."""
    found = new_user(application.url)
    found.page.goto("/")
    return found
