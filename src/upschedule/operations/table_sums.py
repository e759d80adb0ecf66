"""Computes row counts and checksums of all tables, to compare a restored database with the original."""

from collections.abc import Mapping

import msgspec
import psycopg
from psycopg import sql

# A row as text depends on these, so both sides of a comparison set them.
_FORM = (
    "SET timezone = 'UTC'",
    "SET datestyle = 'ISO, YMD'",
    "SET intervalstyle = 'postgres'",
    "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1",
)
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
# The sum does not depend on the order of the rows. A hash of 60 bits for each row finds damage, not forgery.
_SUM = """
    SELECT count(*), coalesce(sum(('x' || left(hash, 15))::bit(60)::bigint), 0)
    FROM {table} AS whole_row,
         LATERAL (SELECT encode(sha256(convert_to(whole_row::text, 'UTF8')), 'hex') AS hash) AS hashed
"""


class TableSum(msgspec.Struct, frozen=True):
    """`checksum` covers the contents of all rows, in any order."""

    rows: int
    checksum: str


def read_sums(connection: psycopg.Connection) -> dict[str, TableSum]:
    """The row count and checksum of each table in the schema `public`, as the connection's transaction sees them."""
    for statement in _FORM:
        connection.execute(statement)
    sums: dict[str, TableSum] = {}
    for (name,) in connection.execute(_TABLES).fetchall():
        row = connection.execute(sql.SQL(_SUM).format(table=sql.Identifier("public", name))).fetchone()
        rows, checksum = row or (0, 0)
        sums[name] = TableSum(rows, str(checksum))
    return sums


def differences(expected: Mapping[str, TableSum], found: Mapping[str, TableSum]) -> list[str]:
    """One sentence for each table that is not as expected; empty if all are equal."""
    names = sorted(expected.keys() | found.keys())
    return [
        _difference(name, expected.get(name), found.get(name))
        for name in names
        if expected.get(name) != found.get(name)
    ]


def _difference(name: str, expected: TableSum | None, found: TableSum | None) -> str:
    if expected is None or found is None:
        return f"the table {name} is {'unknown' if expected is None else 'missing'}"
    if expected.rows != found.rows:
        return f"the table {name} has {found.rows} rows instead of {expected.rows}"
    return f"the table {name} has other contents"
