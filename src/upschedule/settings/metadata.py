"""Metadata of a setting's annotation beside its bounds: LIVE, SECRET and API_ONLY."""

from msgspec import Meta

#: May be changed while processes run, by a key in Consul.
LIVE = Meta(extra={"live": True})
#: Is never shown, neither by a command nor in a log.
SECRET = Meta(extra={"secret": True})
#: Must be set for the API, and for no other process.
API_ONLY = Meta(extra={"api_only": True})

#: Refuses a typing error; it is no limit of the service. Redis and PostgreSQL cannot count to every number.
AMOUNT_MAX = 1_000_000_000
