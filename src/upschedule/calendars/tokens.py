"""The secret tokens in the addresses of a calendar."""

from uuid import UUID

from upschedule.stores.tokens import derived_token


def feed_token(secret: str, calendar_id: UUID, generation: int) -> str:
    """192 bits, safe in a URL. The tokens of two generations are independent."""
    return derived_token(secret, f"{calendar_id}:{generation}")


def share_token(secret: str, calendar_id: UUID, nonce: UUID) -> str:
    """The token of the page that others may see. It is as secret as that of a feed, and not valid for the feed."""
    return derived_token(secret, f"share:{calendar_id}:{nonce}")
