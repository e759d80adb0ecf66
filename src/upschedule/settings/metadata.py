"""Metadata of a setting's annotation beside its bounds."""

from msgspec import Meta

#: May be changed while processes run, by a key in Consul.
LIVE = Meta(extra={"live": True})
#: Is never shown, neither by a command nor in a log.
SECRET = Meta(extra={"secret": True})
#: Must be set for the API, and for no other process.
API_ONLY = Meta(extra={"api_only": True})
#: Each item is an IP network such as 10.0.0.0/24.
NETWORKS = Meta(extra={"networks": True})


def at_most(name: str) -> Meta:
    """The setting must not be above the setting of this name in the same group."""
    return Meta(extra={"at_most": name})


def below(name: str) -> Meta:
    """The setting must be less than the setting of this name in the same group."""
    return Meta(extra={"below": name})


def url_of(kind: str) -> Meta:
    """The setting, or each of its items, is a URL or an address of this kind of `settings.urls`."""
    return Meta(extra={"url": kind})


#: Refuses a typing error; it is no limit of the service. Redis and PostgreSQL cannot count to every number.
AMOUNT_MAX = 1_000_000_000
#: Bounds times that clients count in whole milliseconds.
DAY_SECONDS = 86_400
#: A port in a pattern, from 1 to 65535.
PORT = r"(6553[0-5]|655[0-2]\d|65[0-4]\d{2}|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})"
#: HOST or HOST:PORT in a pattern; an IPv6 address is in brackets.
AUTHORITY = rf"(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:{PORT})?"
