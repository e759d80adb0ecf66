"""What a first visit costs on a phone with a slow connection: requests, bytes, time until an upload works, and shifts.

The profile is that of Lighthouse for phones: 150 ms, 1.6 Mbit/s, a processor four times slower. It measures a service
that runs (`--url`), or starts one on this machine, with Traefik in front of it for HTTPS and HTTP/2. Chromium delays
each request by the 150 ms, but not the handshakes of TCP and TLS.
"""

import argparse
import os
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, sync_playwright

from perf.https_edge import running_edge
from perf.stack import running_stack
from tools.prerequisites import find_chromium

REQUESTS_MAX = 4
BYTES_MAX = 60_000
SHIFT_MAX = 0.05
READY_MS_MAX = 1000.0

_LATENCY_MS = 150
_BYTES_PER_SECOND = 1_600_000 / 8
_PROCESSOR_SLOWER = 4
_TIMEOUT_MS = 60_000
_WATCH = """
window.shift = 0;
window.ready = null;
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
        window.shift += entry.value;
    }
}).observe({ type: "layout-shift", buffered: true });
new MutationObserver(() => {
    if (window.ready === null && document.documentElement?.dataset.scripts === "ready") {
        const sent = performance.getEntriesByType("resource").length;
        window.ready = { milliseconds: performance.now(), requests: sent + 1 };
    }
}).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-scripts"] });
"""
_FOUND = """() => {
    const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    const bytes = entries.reduce((sum, entry) => sum + entry.transferSize, 0);
    const protocols = [...new Set(entries.map((entry) => entry.nextHopProtocol))].sort().join(", ");
    return { ...window.ready, shift: window.shift, bytes, protocols };
}"""


class FirstPage(NamedTuple):
    """`requests` and `ready_ms` until an upload works; `bytes` as transferred, `shift` until the page is at rest."""

    requests: int
    bytes: int
    ready_ms: float
    shift: float
    protocols: str


def measure(browser: Browser, url: str, *, slow: bool) -> FirstPage:
    """One visit by a browser that has never been there. With `slow`, on a slow phone."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, ignore_https_errors=True, service_workers="block"
    )
    try:
        page = context.new_page()
        page.add_init_script(_WATCH)
        if slow:
            session = context.new_cdp_session(page)
            conditions = {"offline": False, "latency": _LATENCY_MS, "downloadThroughput": _BYTES_PER_SECOND}
            session.send("Network.enable")
            session.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": _BYTES_PER_SECOND})
            session.send("Emulation.setCPUThrottlingRate", {"rate": _PROCESSOR_SLOWER})
        page.goto(url, timeout=_TIMEOUT_MS)
        page.wait_for_function("window.ready !== null", timeout=_TIMEOUT_MS)
        page.wait_for_load_state("networkidle", timeout=_TIMEOUT_MS)
        found: dict[str, Any] = page.evaluate(_FOUND)
    finally:
        context.close()
    return FirstPage(
        requests=found["requests"],
        bytes=found["bytes"],
        ready_ms=found["milliseconds"],
        shift=found["shift"],
        protocols=found["protocols"],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="of a service that runs, instead of one that is started")
    parser.add_argument("--visits", type=int, default=5)
    arguments = parser.parse_args()
    with ExitStack() as running:
        url = arguments.url
        if url is None:
            stack = running.enter_context(running_stack(Path(sys.executable)))
            url = running.enter_context(running_edge(stack.url))
        # As root Chromium refuses its sandbox.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = running.enter_context(sync_playwright()).chromium.launch(
            executable_path=find_chromium(), args=options
        )
        visits = [measure(browser, url, slow=True) for _ in range(arguments.visits)]
    worst = FirstPage(*map(max, zip(*visits, strict=True)))
    ready_ms = statistics.median(visit.ready_ms for visit in visits)
    print(f"protocol: {worst.protocols} ({url.partition(':')[0]})")
    print(f"requests until an upload works: {worst.requests} (at most {REQUESTS_MAX})")
    print(f"bytes of the first page: {worst.bytes:,} (at most {BYTES_MAX:,})")
    print(f"layout shift: {worst.shift:.3f} (under {SHIFT_MAX})")
    print(
        f"an upload works after: {ready_ms:.0f} ms in the median (under {READY_MS_MAX:.0f}), {worst.ready_ms:.0f} worst"
    )
    held = worst.requests <= REQUESTS_MAX and worst.bytes <= BYTES_MAX and worst.shift < SHIFT_MAX
    return 0 if held and ready_ms < READY_MS_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
