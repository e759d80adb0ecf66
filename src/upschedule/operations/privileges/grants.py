"""Applies the declared grants to a database. The owner runs it after the migrations, any number of times."""

from collections.abc import Collection, Iterator

import psycopg
from psycopg import sql

from upschedule.operations.privileges.errors import RoleMissing
from upschedule.operations.privileges.identities import BACKUP_ROLE, PROCESSES, Process, role_of
from upschedule.operations.privileges.tables import FUNCTIONS, TABLES

#: Roles belong to the server and not to a database, so the operator of the server creates them.
ROLES = (*map(role_of, PROCESSES), BACKUP_ROLE)
#: Its runs and drills, and nothing else that it may write (decision 34).
_BACKUPS_OWN = ("backup_runs", "restore_drills")
_NO_PROCESS_WRITES = frozenset({"schema_migrations", "releases", "restore_points", *_BACKUPS_OWN})


def grant_all(conn: psycopg.Connection, *, shared_role: str, only_add: bool) -> None:
    """Applies all grants in one transaction, so that no process ever lacks a right that it keeps. Raises RoleMissing.

    `only_add`: a newer release has expanded the schema, so its processes may need more than is declared here.
    """
    for role in (*ROLES, shared_role):
        if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount == 0:
            raise RoleMissing(role)
    with conn.transaction():
        for statement in _statements(_tables(conn), shared_role, only_add=only_add):
            conn.execute(statement)
        for statement in _functions(conn):
            conn.execute(statement)


def grant_backup(conn: psycopg.Connection) -> None:
    """Applies the grants of the backup role: a backup runs before the migrations. Raises RoleMissing."""
    if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [BACKUP_ROLE]).rowcount == 0:
        raise RoleMissing(BACKUP_ROLE)
    with conn.transaction():
        conn.execute(_with("GRANT USAGE ON SCHEMA public TO {role}", BACKUP_ROLE))
        for statement in _backup(_tables(conn)):
            conn.execute(statement)


def _statements(tables: Collection[str], shared_role: str, *, only_add: bool) -> Iterator[sql.Composed]:
    for role in (*ROLES, shared_role):
        yield _with("GRANT USAGE ON SCHEMA public TO {role}", role)
    yield from _backup(tables)
    yield from _shared(shared_role, tables)
    for table in sorted(TABLES.keys() & tables):
        for process in PROCESSES:
            yield from _process(table, process, TABLES[table].get(process, ""), only_add=only_add)


def _functions(conn: psycopg.Connection) -> Iterator[sql.Composed]:
    """Those that this release's migrations have made; a migration takes them from PUBLIC."""
    for function, processes in FUNCTIONS.items():
        row = conn.execute("SELECT to_regprocedure(%s) IS NOT NULL", [function]).fetchone()
        for process in processes if row == (True,) else ():
            # The text is this package's own.
            name = sql.SQL(function)  # pyright: ignore[reportArgumentType] - a declared constant, not a literal
            yield sql.SQL("GRANT EXECUTE ON FUNCTION {name} TO {role}").format(
                name=name, role=sql.Identifier(role_of(process))
            )


def _process(table: str, process: Process, privileges: str, *, only_add: bool) -> Iterator[sql.Composed]:
    words = {"table": sql.Identifier(table), "role": sql.Identifier(role_of(process))}
    if not only_add:
        # Takes the privileges on single columns as well.
        yield sql.SQL("REVOKE ALL ON TABLE {table} FROM {role}").format(**words)
    if privileges:
        # The text is this package's own.
        granted = sql.SQL(privileges)  # pyright: ignore[reportArgumentType] - a declared constant, not a literal
        yield sql.SQL("GRANT {privileges} ON TABLE {table} TO {role}").format(privileges=granted, **words)


def _tables(conn: psycopg.Connection) -> Collection[str]:
    return {name for (name,) in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def _backup(tables: Collection[str]) -> Iterator[sql.Composed]:
    """Grants reading of everything, including tables of later migrations."""
    yield _with("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", BACKUP_ROLE)
    yield _with("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}", BACKUP_ROLE)
    yield _with("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role}", BACKUP_ROLE)
    yield _with("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON SEQUENCES TO {role}", BACKUP_ROLE)
    for table in sorted(set(_BACKUPS_OWN) & set(tables)):
        yield sql.SQL("GRANT INSERT, UPDATE ON TABLE {table} TO {role}").format(
            table=sql.Identifier(table), role=sql.Identifier(BACKUP_ROLE)
        )


def _shared(role: str, tables: Collection[str]) -> Iterator[sql.Composed]:
    """Grants for releases whose processes share a role: they may run until this one has replaced them."""
    yield _with("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}", role)
    yield _with("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}", role)
    for table in sorted(_NO_PROCESS_WRITES & set(tables)):
        yield sql.SQL("REVOKE INSERT, UPDATE, DELETE ON TABLE {table} FROM {role}").format(
            table=sql.Identifier(table), role=sql.Identifier(role)
        )


def _with(statement: str, role: str) -> sql.Composed:
    # The statements are this module's own.
    return sql.SQL(statement).format(role=sql.Identifier(role))  # pyright: ignore[reportArgumentType] - as above
