"""Downloads a file by HTTP with the standard library: through proxies, with retries, up to a maximal size."""

import http.client
import random
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tools.installation.errors import NETWORK_ADVICE, InstallationError
from tools.installation.package_index import Location

TIMEOUT_SECONDS = 30.0
ATTEMPTS = 3
PIECE = 1 << 18
SERVER_ERROR = 500
TOO_MANY_REQUESTS = 429

ReportBytes = Callable[[int], None]


def fetch(location: Location, *, size_max: int, report_bytes: ReportBytes = lambda _: None) -> bytes:
    """The content, of at most `size_max` bytes. Raises InstallationError.

    The caller compares a hash. A machine that has no certificate authorities at all, as a minimal Debian, therefore
    gets the file without the server's identity being checked; a sign-in is never sent that way.
    """
    opener = _opener(verified=has_authorities() or bool(location.headers))
    attempt = 1
    while True:
        try:
            return _read(opener, location, size_max, report_bytes)
        except (OSError, http.client.HTTPException) as error:
            if attempt == ATTEMPTS or not _may_pass(error):
                raise InstallationError(
                    f"{location.url} could not be fetched: {_describe(error)}. {NETWORK_ADVICE}"
                ) from None
        time.sleep(2 ** (attempt - 1) * (0.5 + random.random()))  # noqa: S311 - spreads retries
        attempt += 1


def _may_pass(error: OSError | http.client.HTTPException) -> bool:
    """Whether another attempt could succeed."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code == TOO_MANY_REQUESTS or error.code >= SERVER_ERROR
    return not (isinstance(error, urllib.error.URLError) and isinstance(error.reason, ssl.SSLCertVerificationError))


def _describe(error: OSError | http.client.HTTPException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    return str(error.reason if isinstance(error, urllib.error.URLError) else error) or type(error).__name__


def _read(opener: urllib.request.OpenerDirector, location: Location, size_max: int, report_bytes: ReportBytes) -> bytes:
    request = urllib.request.Request(location.url)  # noqa: S310 - http and https only, as the opener has no others
    for name, value in location.headers.items():
        # A redirect to another host does not get it.
        request.add_unredirected_header(name, value)
    content = bytearray()
    with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
        while piece := response.read(PIECE):
            content += piece
            if len(content) > size_max:
                raise InstallationError(f"{location.url} is larger than the {size_max} bytes that were expected.")
            report_bytes(len(content))
        expected = response.headers.get("Content-Length")
    if expected is not None and len(content) != int(expected):
        raise http.client.IncompleteRead(bytes(content), int(expected) - len(content))
    return bytes(content)


def _opener(*, verified: bool) -> urllib.request.OpenerDirector:
    proxies = urllib.request.getproxies()
    # uv and curl know ALL_PROXY; urllib does not.
    everything = proxies.get("all")
    if everything and urlsplit(everything).scheme in {"http", "https"}:
        proxies = {"http": everything, "https": everything} | proxies
    context = ssl.create_default_context()
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def has_authorities() -> bool:
    """Whether this machine can check a server's certificate; SSL_CERT_FILE and SSL_CERT_DIR count."""
    paths = ssl.get_default_verify_paths()
    # Authorities in a folder are loaded when a connection asks for them, so the context does not count them.
    folder = Path(paths.capath) if paths.capath else None
    return ssl.create_default_context().cert_store_stats()["x509_ca"] > 0 or bool(folder and any(folder.iterdir()))
