"""What axe finds on a page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_AXE = Axe()
#: All rules of axe, the best practices included.
_OPTIONS = {"resultTypes": ["violations"]}


def violations(page: Page) -> list[str]:
    """All violations of any severity, with the rule and the elements that break it."""
    found = _AXE.run(page, options=_OPTIONS).response["violations"]
    return [f"{rule['id']}: {node['target']} {node['html'][:120]}" for rule in found for node in rule["nodes"]]
