"""Secret tokens in addresses: derived from a key whenever they are needed, stored only as a hash."""

import base64
import hashlib
import hmac

_TOKEN_BYTES = 24


def derived_token(secret: str, message: str) -> str:
    """192 bits, safe in a URL. The tokens of two messages are independent."""
    digest = hmac.digest(secret.encode(), message.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:_TOKEN_BYTES]).decode()


def token_hash(token: str) -> bytes:
    """The form in which the database stores a token. Random tokens need no salt."""
    return hashlib.sha256(token.encode()).digest()
