"""Rights of each role on each table. A table that is not listed is open to its owner and the backup role only.

Privileges are as GRANT writes them; columns in parentheses. `UPDATE` of one column is also what `FOR UPDATE` needs.
"""

from collections.abc import Mapping

from upschedule.operations.privileges.identities import PROCESSES, Process

_EVERY_ROW = "SELECT, INSERT, UPDATE, DELETE"
# The columns that a run changes: all but the owner, the file and the data of the upload.
_RUN = (
    "status, attempt, run, pages, pages_read, run_after, rung_at, lease_until, error, warnings, reader_version, "
    "version, started_at, finished_at, slow, demoted_at, demoted_from, run_release, provisional_release"
)

TABLES: Mapping[str, Mapping[Process, str]] = {
    "accounts": {
        "api": _EVERY_ROW,
        # Releases the quota of a deleted file.
        "scheduler": "SELECT (id, stored_bytes), UPDATE (stored_bytes)",
    },
    # Only operators exempt an account from limits, through the scheduler: no request to the API can.
    "exempt_accounts": {"api": "SELECT", "scheduler": "SELECT, INSERT, DELETE"},
    # The scheduler deletes expired rows, and finds them by these columns.
    "sessions": {
        "api": "SELECT, INSERT, UPDATE",
        "scheduler": "SELECT (id_hash, created_at, last_seen_at, ended_at), DELETE",
    },
    "sign_ups": {"api": _EVERY_ROW, "scheduler": "SELECT (created_at), DELETE"},
    "password_resets": {"api": _EVERY_ROW, "scheduler": "SELECT (created_at), DELETE"},
    "mails": {"api": _EVERY_ROW, "scheduler": "SELECT (created_at), DELETE"},
    "devices": {"api": _EVERY_ROW, "scheduler": "SELECT (used_at), DELETE"},
    "jobs": {
        "api": _EVERY_ROW,
        "worker": f"SELECT, UPDATE ({_RUN})",
        "scheduler": f"SELECT, UPDATE ({_RUN}, object_key, stored_at, address_hash, address_noted_at)",
    },
    "events": {"api": "SELECT", "worker": "SELECT, INSERT, DELETE", "scheduler": "SELECT"},
    "dead_letters": {"worker": "INSERT", "scheduler": "SELECT, INSERT, DELETE"},
    # The API adds what students report. The scheduler shows it to operators, and deletes old reports.
    "row_reports": {"api": "INSERT", "scheduler": "SELECT, DELETE"},
    # The CPU shares of readings: the API reads them, workers add to them, and the scheduler deletes old ones.
    "visitor_shares": {"api": "SELECT", "worker": "SELECT, INSERT, UPDATE", "scheduler": "SELECT, DELETE"},
    "address_shares": {"api": "SELECT", "worker": "SELECT, INSERT, UPDATE", "scheduler": "SELECT, DELETE"},
    "academic_years": {"api": "SELECT, INSERT, UPDATE", "scheduler": "SELECT"},
    # The scheduler publishes calendars whose documents were deleted, and locks them for it.
    "calendars": {"api": _EVERY_ROW, "scheduler": "SELECT, UPDATE (updated_at)"},
    "calendar_jobs": {"api": _EVERY_ROW, "scheduler": "SELECT"},
    "calendar_replacements": {"api": "SELECT, INSERT, DELETE", "scheduler": "SELECT"},
    "calendar_shares": {"api": _EVERY_ROW},
    "calendar_entries": {"api": _EVERY_ROW, "scheduler": _EVERY_ROW},
    "calendar_feeds": {"api": _EVERY_ROW, "scheduler": _EVERY_ROW},
    # Each change of an operator is recorded by the scheduler that makes it, which also removes old records.
    "operator_actions": {"scheduler": "SELECT, INSERT, DELETE"},
    # A migration inserts the one row.
    "queue_pauses": {"worker": "SELECT", "scheduler": "SELECT, UPDATE (paused_at)"},
    # A migration inserts the one row.
    "leaderships": {"scheduler": "SELECT, UPDATE (term, held_until)"},
    # Workers renew the row of their release; the leading scheduler confirms it, and forgets those that were left.
    "worker_releases": {"worker": "SELECT, INSERT, UPDATE", "scheduler": _EVERY_ROW},
    # The owner writes and reads it, before a release.
    "restore_points": {},
    # Triggers write it with the owner's rights; the scheduler deletes old rows, and finds them by this column.
    "deletions": {"scheduler": "SELECT (id, deleted_at), DELETE"},
    # The backup role writes both (grants.py).
    "backup_runs": {"scheduler": "SELECT"},
    "restore_drills": {"scheduler": "SELECT"},
    # The owner writes both tables; `upschedule prepare --wait` reads them with the role of the waiting process.
    "schema_migrations": dict.fromkeys(PROCESSES, "SELECT"),
    "releases": dict.fromkeys(PROCESSES, "SELECT"),
}
#: Functions that do with the owner's rights what no process may do, and the processes that may call them.
FUNCTIONS: Mapping[str, tuple[Process, ...]] = {"delete_unused_accounts(timestamptz, integer)": ("scheduler",)}
