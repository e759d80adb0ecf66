"""Random ids of sessions and devices: a cookie holds the id, stores hold only its hash."""

import hashlib
import re
import secrets

_ID_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9_-]{43}")


def new_id() -> str:
    """256 random bits. The id cannot be read back from any store."""
    return secrets.token_urlsafe(_ID_BYTES)


def hash_of(random_id: str) -> bytes:
    """The form in which stores hold an id. Random ids need one round of hashing and no salt."""
    return hashlib.sha256(random_id.encode()).digest()


def hash_of_cookie(value: str | None) -> bytes | None:
    """None if the cookie is missing or its value is not of the form that `new_id` gives."""
    return hash_of(value) if value and _ID.fullmatch(value) else None
