"""The SQL of messages that wait for the mail server."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from upschedule.stores.database import Connection

Kind = Literal["sign-up", "reset"]


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """`attempts` to send it have begun."""

    id: UUID
    kind: Kind
    email: str
    attempts: int


_INSERT = """
    INSERT INTO mails (id, kind, email, created_at, due_at) VALUES (%(id)s, %(kind)s, %(email)s, %(now)s, %(now)s)
"""
# Several processes send: each takes another row. `until` keeps the others away while this one is being sent.
_CLAIM = """
    UPDATE mails SET attempts = attempts + 1, due_at = %(until)s
    WHERE id = (SELECT id FROM mails WHERE due_at <= %(now)s ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING *
"""
_POSTPONE = "UPDATE mails SET due_at = %(due_at)s WHERE id = %(id)s"
_DELETE = "DELETE FROM mails WHERE id = %(id)s"
_FORGET = "DELETE FROM mails WHERE email = %(email)s"


class MailRepository:
    """The caller owns the transaction and passes the time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def insert(self, mail_id: UUID, kind: Kind, email: str, now: datetime) -> None:
        values = {"id": mail_id, "kind": kind, "email": email, "now": now}
        await self._connection.execute(_INSERT, values)

    async def claim(self, now: datetime, *, until: datetime) -> Mail | None:
        """The message that has been due for longest; None if none is due."""
        cursor = await self._connection.execute(_CLAIM, {"now": now, "until": until})
        return msgspec.convert(await cursor.fetchone(), Mail | None)

    async def postpone(self, mail_id: UUID, due_at: datetime) -> None:
        await self._connection.execute(_POSTPONE, {"id": mail_id, "due_at": due_at})

    async def delete(self, mail_id: UUID) -> None:
        await self._connection.execute(_DELETE, {"id": mail_id})

    async def forget(self, email: str) -> None:
        """Deletes every message to this address."""
        await self._connection.execute(_FORGET, {"email": email})
