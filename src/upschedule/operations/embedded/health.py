"""One request to a health endpoint on this machine."""

import http.client
import urllib.request

_TIMEOUT_SECONDS = 5.0
# Ignores the environment's proxies: the address is on this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

UNHEALTHY = (OSError, http.client.HTTPException)


def expect_ok(url: str) -> None:
    """Raise one of UNHEALTHY unless the response is a success."""
    with _opener.open(url, timeout=_TIMEOUT_SECONDS):
        pass
