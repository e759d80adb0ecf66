"""Which migrations may run beside the releases that run now. See docs/decisions/0007-contract-migrations.md."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from upschedule.operations.migration.files import AppliedMigration, Migration
from upschedule.operations.prepare.errors import ContractTooEarly

_UNKNOWN = "an unknown release"


@dataclass(frozen=True, kw_only=True)
class Permission:
    """`allowed` are this release's migrations without its last ones, which are `held` back for the next release."""

    allowed: Sequence[Migration]
    held: Sequence[Migration]

    def contracts(self, applied: Sequence[AppliedMigration]) -> bool:
        """Whether something is removed now."""
        return any(migration.contracts for migration in self.allowed[len(applied) :])


def permit(
    migrations: Sequence[Migration],
    applied: Sequence[AppliedMigration],
    running: Iterable[str],
    levels: Mapping[str, int],
) -> Permission:
    """A contraction runs once every other release that runs ships it: it was written and tested without what goes.

    `running` may be empty where it is not known, and then nothing is removed. Raises ContractTooEarly.
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
