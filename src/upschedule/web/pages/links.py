"""Where a calendar can be taken from. Pure."""

from urllib.parse import quote, urlencode, urlsplit

import msgspec


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """`current`: everything that was read is in it. Apple takes `webcal:`, the others fetch by `https:`."""

    feed_url: str
    ics_url: str
    apple_url: str
    google_url: str
    outlook_url: str
    current: bool


def links(*, feed_url: str, ics_url: str, name: str, current: bool) -> Links:
    """`feed_url` is absolute."""
    return Links(
        feed_url=feed_url,
        ics_url=ics_url,
        apple_url=urlsplit(feed_url)._replace(scheme="webcal").geturl(),
        google_url=f"https://calendar.google.com/calendar/r?{urlencode({'cid': feed_url})}",
        outlook_url="https://outlook.office.com/calendar/0/addfromweb?"
        + urlencode({"url": feed_url, "name": name}, quote_via=quote),
        current=current,
    )
