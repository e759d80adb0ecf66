"""Shares of processor time: which due job is next, and what readings are charged to visitors and addresses.

docs/decisions/0014-fair-queue.md gives the reasons.
"""

import hashlib
import hmac
import math
from uuid import UUID

import msgspec

from upschedule.processing.errors import ReadingTimeUsedUp
from upschedule.processing.job import Job
from upschedule.stores.database import Connection

_ADDRESS_KEY_USE = b"the queue's addresses"


class AddressHash:
    """The keyed hash by which the queue knows a client's address; the key is derived from `secret` for this use."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), _ADDRESS_KEY_USE, hashlib.sha256) if secret else None

    def of(self, address: str | None) -> bytes | None:
        """None for an unknown address. Raises RuntimeError in a process that has no secret."""
        if address is None:
            return None
        if self._key is None:
            # Without a key the address could be found from its hash.
            raise RuntimeError("This process takes in no uploads: it has no secret for the hash of an address.")
        return hmac.digest(self._key, address.encode(), hashlib.sha256)


class ShareOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`quick_seconds` and `slow_seconds` bound the processor time of a first reading and of a longer one.

    Used time loses half its weight with each `half_life_seconds`. A document that the service itself reads again lets
    all others go first for `yield_seconds`.
    """

    quick_seconds: float
    slow_seconds: float
    half_life_seconds: float
    yield_seconds: float = 60.0

    def cost(self, job: Job) -> float:
        """The most that one reading of it may use."""
        return self.slow_seconds if job.slow else self.quick_seconds


class ShareRepository:
    """The caller owns the transaction. Locks are taken in this order: job, its visitor's share, its address's share."""

    def __init__(self, connection: Connection, options: ShareOptions) -> None:
        self._connection = connection
        self._options = options

    # First what people wait for: a document that the service itself reads again lets them go first, but not for ever.
    # Then by what the address will have used when the job has been read, so that short work goes before long and who
    # has used little before who has used much; then by the same of the visitor, a new one with a quantum more.
    _FAIREST = """
        SELECT jobs.id FROM jobs
        LEFT JOIN address_shares AS address USING (address_hash)
        LEFT JOIN visitor_shares AS visitor USING (account_id)
        WHERE status = 'queued' AND run_after <= now() AND (NOT slow OR %(with_slow)s)
          AND NOT EXISTS (SELECT FROM queue_pauses WHERE name = 'jobs' AND paused_at IS NOT NULL)
        ORDER BY provisional_release IS NOT NULL AND run_after > now() - %(yield_seconds)s * interval '1 second',
                 share_used(address.used_seconds, address.used_at, %(half_life_seconds)s)
                     + CASE WHEN slow THEN %(slow_seconds)s ELSE %(quick_seconds)s END,
                 share_used(visitor.used_seconds, visitor.used_at, %(half_life_seconds)s)
                     + CASE WHEN established THEN 0 ELSE %(quick_seconds)s END,
                 run_after, id
        LIMIT 1
        FOR UPDATE OF jobs SKIP LOCKED
    """

    async def fairest(self, *, with_slow: bool) -> UUID | None:
        """Locks and returns the due job whose turn it is; None if all are locked or the queue is paused."""
        values = msgspec.structs.asdict(self._options) | {"with_slow": with_slow}
        row = await (await self._connection.execute(self._FAIREST, values)).fetchone()
        return row["id"] if row else None

    _CHARGE_VISITOR = """
        INSERT INTO visitor_shares (account_id, used_seconds, used_at)
        VALUES (%(account_id)s, greatest(0, %(seconds)s), now())
        ON CONFLICT (account_id) DO UPDATE
        SET used_at = greatest(visitor_shares.used_at, now()),
            used_seconds = greatest(0, %(seconds)s + share_used(
                visitor_shares.used_seconds, visitor_shares.used_at, %(half_life_seconds)s))
    """
    _CHARGE_ADDRESS = """
        INSERT INTO address_shares (address_hash, used_seconds, used_at)
        SELECT address_hash, greatest(0, %(seconds)s), now() FROM jobs
        WHERE id = %(job_id)s AND address_hash IS NOT NULL
        ON CONFLICT (address_hash) DO UPDATE
        SET used_at = greatest(address_shares.used_at, now()),
            used_seconds = greatest(0, %(seconds)s + share_used(
                address_shares.used_seconds, address_shares.used_at, %(half_life_seconds)s))
    """

    async def charge(self, job: Job, seconds: float) -> None:
        """Adds to the used time of the job's owner and address; a negative number gives time back.

        A document that the service itself reads again is charged to no visitor and no address.
        """
        if job.is_read_again:
            return
        values = {
            "job_id": job.id,
            "account_id": job.account_id,
            "seconds": seconds,
            "half_life_seconds": self._options.half_life_seconds,
        }
        await self._connection.execute(self._CHARGE_VISITOR, values)
        await self._connection.execute(self._CHARGE_ADDRESS, values)

    _OF_VISITOR = """
        SELECT share_used(used_seconds, used_at, %(half_life_seconds)s) AS used
        FROM visitor_shares WHERE account_id = %(account_id)s
    """

    async def check_budget(self, account_id: UUID, budget_seconds: float) -> None:
        """Raises ReadingTimeUsedUp if the visitor's readings, refused ones included, have used more than the budget."""
        half_life = self._options.half_life_seconds
        values = {"account_id": account_id, "half_life_seconds": half_life}
        row = await (await self._connection.execute(self._OF_VISITOR, values)).fetchone()
        if row and row["used"] > budget_seconds:
            # By then the used time has shrunk to the budget.
            seconds = half_life * math.log2(row["used"] / budget_seconds)
            raise ReadingTimeUsedUp(retry_after_seconds=max(1, math.ceil(seconds)))

    _OF_ADDRESS = """
        SELECT share_used(used_seconds, used_at, %(half_life_seconds)s) AS used
        FROM address_shares WHERE address_hash = %(address_hash)s
    """

    async def used_by_address(self, address_hash: bytes) -> float:
        values = {"address_hash": address_hash, "half_life_seconds": self._options.half_life_seconds}
        row = await (await self._connection.execute(self._OF_ADDRESS, values)).fetchone()
        return float(row["used"]) if row else 0.0
