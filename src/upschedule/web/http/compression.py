"""Compresses answers for clients that accept it."""

import gzip

from upschedule.web.http.identity import AnyRequest

#: On everything that is sent in either form.
VARY = {"Vary": "Accept-Encoding"}
#: On what is sent compressed.
ENCODED = {"Content-Encoding": "gzip"}


def accepts_gzip(request: AnyRequest) -> bool:
    """Whether the client accepts gzip: browsers do, some programs do not."""
    return "gzip" in request.headers.get("accept-encoding", "")


def compressed(content: bytes) -> bytes:
    """Equal content gives equal bytes."""
    return gzip.compress(content, compresslevel=5, mtime=0)
