"""Limits of a first visit, in figures that do not depend on the speed of the machine."""

from playwright.sync_api import Browser

from perf.first_page import BYTES_MAX, REQUESTS_MAX, SHIFT_MAX, measure
from tests.support.processes.application import ApiProcess


def test_the_first_page_keeps_its_budget(chromium: Browser, application: ApiProcess) -> None:
    """Limited are the requests before an upload works, the transferred bytes, and layout shifts during the load."""
    found = measure(chromium, application.url, slow=False)
    assert 0 < found.requests <= REQUESTS_MAX
    assert 0 < found.bytes <= BYTES_MAX
    assert found.shift < SHIFT_MAX
