"""Decides which migrations may run beside the running releases. See docs/decisions/0007-contract-migrations.md."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from upschedule.operations.migration.files import AppliedMigration, Migration
from upschedule.operations.prepare.errors import ContractTooEarly

_UNKNOWN = "an unknown release"


@dataclass(frozen=True, kw_only=True)
class Permission:
    """`allowed` are the migrations of this release that may run; the last ones are `held` back for the next release."""

    allowed: Sequence[Migration]
    held: Sequence[Migration]

    def contracts(self, applied: Sequence[AppliedMigration]) -> bool:
        """Whether a contraction runs now."""
        return any(migration.contracts for migration in self.allowed[len(applied) :])


def permit(
    migrations: Sequence[Migration],
    applied: Sequence[AppliedMigration],
    running: Iterable[str],
    levels: Mapping[str, int],
) -> Permission:
    """Allows a contraction once every other running release ships it, and so works without the removed schema.

    If `running` is empty, the running releases are unknown and no contraction is allowed. Raises ContractTooEarly.
    """
    if not applied:
        return Permission(allowed=migrations, held=[])
    levels_running = {version: levels.get(version, 0) for version in running} or {_UNKNOWN: 0}
    oldest = min(levels_running, key=lambda version: levels_running[version])
    for place, migration in enumerate(migrations):
        if place >= len(applied) and migration.contracts and migration.number > levels_running[oldest]:
            _refuse_expansions(migrations[place:], oldest)
            return Permission(allowed=migrations[:place], held=migrations[place:])
    return Permission(allowed=migrations, held=[])


def _refuse_expansions(held: Sequence[Migration], oldest: str) -> None:
    for migration in held:
        if not migration.contracts:
            raise ContractTooEarly(held[0].name, migration.name, oldest)
