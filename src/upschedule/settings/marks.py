"""What an annotation says of a setting beside its bounds."""

from msgspec import Meta

#: May be changed while processes run, by a key in Consul.
LIVE = Meta(extra={"live": True})
#: Is never shown, neither by a command nor in a log.
SECRET = Meta(extra={"secret": True})
#: Must be set for the API, and for no other process.
API_ONLY = Meta(extra={"api_only": True})

#: A slip of the finger, not a limit: Redis and PostgreSQL count no further than some of what could be typed.
AMOUNT_MAX = 1_000_000_000
