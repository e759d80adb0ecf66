"""Limits of one reading."""

import msgspec


class ReadingLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one reading; a document beyond a bound is refused with the error of that bound (R1.4, R11.3).

    `content_bytes_max` bounds the unpacked content of all pages together. A stream that several pages share counts once
    for each of them, because it is interpreted each time. A hundred pages printed by a browser have about 5 MB.
    """

    size_bytes_max: int = 10 * 1024 * 1024
    pages_max: int = 100
    content_bytes_max: int = 16 * 1024 * 1024
    words_per_page_max: int = 20_000
    rules_per_page_max: int = 20_000
