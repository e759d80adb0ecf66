"""The secret tokens in the addresses of a calendar."""

from uuid import UUID

from upschedule.stores.tokens import derived_token


def feed_token(secret: str, calendar_id: UUID, generation: int) -> str:
    """192 bits, safe in a URL. The tokens of two generations are independent."""
    return derived_token(secret, f"{calendar_id}:{generation}")


def share_token(secret: str, calendar_id: UUID, nonce: UUID) -> str:
    """Of the page that others may see: as secret as a feed's, and of no use there."""
    return derived_token(secret, f"share:{calendar_id}:{nonce}")
