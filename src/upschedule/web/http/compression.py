"""Compresses answers for clients that accept it."""

import gzip

from upschedule.web.http.identity import AnyRequest

#: For each answer that is compressed for some clients: caches must store a copy for each value of `Accept-Encoding`.
VARY = {"Vary": "Accept-Encoding"}
#: For an answer that is compressed.
ENCODED = {"Content-Encoding": "gzip"}


def accepts_gzip(request: AnyRequest) -> bool:
    """Whether the client accepts gzip: browsers do, some programs do not."""
    return "gzip" in request.headers.get("accept-encoding", "")


def compressed(content: bytes) -> bytes:
    """Compresses without a timestamp, so that equal content gives equal bytes."""
    return gzip.compress(content, compresslevel=5, mtime=0)
