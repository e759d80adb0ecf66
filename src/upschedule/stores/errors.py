"""Errors of a store that is slow or unavailable. All are temporary: the caller may try again."""

from upschedule.errors import Refusal


class StoreError(Refusal):
    """A part of the service is not available at the moment. Nothing was lost; try again in a few seconds."""

    code = "temporarily-unavailable"
    title = "Temporarily unavailable"

    def __init__(self, store: str, reason: str) -> None:
        self.store = store
        self.reason = reason
        super().__init__()


class StoreUnavailable(StoreError):
    """A part of the service cannot be reached at the moment. Nothing was lost; try again in a few seconds."""


class StoreTimeout(StoreError):
    """A part of the service took too long to answer. Nothing was lost; try again in a few seconds."""

    code = "store-timeout"
    title = "Took too long"


class StoreFull(StoreError):
    """The service has no room left to save anything. Nothing was lost; what is saved can be read. Try again later."""

    code = "storage-full"
    title = "No room left"
    retry_after_seconds = 60


class PoolExhausted(StoreError):
    """Too many people at once: no database connection became free in time. Try again in a few seconds."""

    code = "database-busy"
    title = "The database is busy"
