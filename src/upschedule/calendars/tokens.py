"""The secret token in a feed's address: derived whenever it is shown, stored only as a hash."""

import base64
import hashlib
import hmac
from uuid import UUID

_TOKEN_BYTES = 24


def feed_token(secret: str, calendar_id: UUID, generation: int) -> str:
    """192 bits, safe in a URL. The tokens of two generations are independent."""
    return _token(secret, f"{calendar_id}:{generation}")


def share_token(secret: str, calendar_id: UUID, nonce: UUID) -> str:
    """Of the page that others may see: as secret as a feed's, and of no use there."""
    return _token(secret, f"share:{calendar_id}:{nonce}")


def token_hash(token: str) -> bytes:
    """The form in which the database stores a token. Random tokens need no salt."""
    return hashlib.sha256(token.encode()).digest()


def _token(secret: str, message: str) -> str:
    digest = hmac.digest(secret.encode(), message.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:_TOKEN_BYTES]).decode()
