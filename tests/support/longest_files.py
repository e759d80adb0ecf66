"""The files of tests that take longest: where several processes share the tests, these start first."""

#: The longest first, by the seconds of all their tests. A process that got one of them last would let the others wait.
LONGEST = (
    "tests/integration/web/test_schemathesis.py",
    "tests/browser/test_weeks.py",
    "tests/browser/test_progress.py",
    "tests/integration/web/test_sign_in_under_attack.py",
    "tests/integration/test_local.py",
    "tests/integration/backup/test_whole_machine.py",
    "tests/integration/scheduler/test_operators.py",
    "tests/integration/operations/test_prepare.py",
    "tests/integration/backup/test_restore_file.py",
    "tests/integration/load/test_load.py",
    "tests/integration/web/test_account_mail.py",
    "tests/browser/test_account.py",
    "tests/browser/test_notices.py",
)
_PLACES = {name: place for place, name in enumerate(LONGEST)}


def place_of(nodeid: str) -> int:
    """The key to sort tests by; those of other files come last and are equal."""
    return _PLACES.get(nodeid.partition("::")[0], len(LONGEST))
