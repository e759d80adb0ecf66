"""Tests which migrations may run beside the running releases."""

import pytest

from upschedule.operations.migration.files import AppliedMigration, Migration
from upschedule.operations.prepare.contracts import permit
from upschedule.operations.prepare.errors import ContractTooEarly

LEVELS = {"old": 2, "new": 4}


def migrations(*kinds: str) -> list[Migration]:
    return [
        Migration(number=number, name=f"{number:04}_{kind}_x.sql", sql="SELECT 1")
        for number, kind in enumerate(kinds, start=1)
    ]


def applied(shipped: list[Migration], count: int) -> list[AppliedMigration]:
    return [
        AppliedMigration(number=migration.number, name=migration.name, checksum=migration.checksum)
        for migration in shipped[:count]
    ]


@pytest.mark.parametrize(
    ("running", "allowed"),
    [
        pytest.param({"new"}, 4, id="every release that runs ships it"),
        pytest.param({"old"}, 3, id="a release that runs does not ship it"),
        pytest.param({"new", "old"}, 3, id="one of two does not ship it"),
        pytest.param({"new", "never prepared"}, 3, id="a release that runs is not known"),
        pytest.param(set(), 3, id="it is not known what runs"),
    ],
)
def test_a_contraction_waits_until_every_release_that_runs_ships_it(running: set[str], allowed: int) -> None:
    """No running process may use what the contraction removes (R12.2)."""
    shipped = migrations("expand", "expand", "expand", "contract")
    permission = permit(shipped, applied(shipped, 2), running, LEVELS)

    assert list(permission.allowed) == shipped[:allowed]
    assert list(permission.held) == shipped[allowed:]
    assert permission.contracts(applied(shipped, 2)) == (allowed == 4)


def test_an_empty_database_gets_everything() -> None:
    """No release can run on an empty database."""
    shipped = migrations("expand", "contract", "expand")
    assert list(permit(shipped, [], {"old"}, {}).allowed) == shipped


def test_expansions_pass_whatever_runs() -> None:
    """An expansion does not affect a running release."""
    shipped = migrations("expand", "expand", "expand")
    assert list(permit(shipped, applied(shipped, 1), set(), {}).allowed) == shipped


def test_a_contraction_that_was_applied_holds_nothing_up() -> None:
    """Later expansions follow it."""
    shipped = migrations("expand", "contract", "expand")
    assert list(permit(shipped, applied(shipped, 2), {"old"}, LEVELS).allowed) == shipped


def test_a_release_that_needs_what_comes_after_a_contraction_is_refused() -> None:
    """The history has no gaps, and the code of the release would miss the expansion."""
    shipped = migrations("expand", "expand", "contract", "expand")
    with pytest.raises(ContractTooEarly, match=r"0003_contract_x\.sql removes what old may use, and 0004_expand_x"):
        permit(shipped, applied(shipped, 2), {"old"}, LEVELS)
