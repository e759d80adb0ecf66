"""Holds and formats the results of single checks. Pure functions."""

from collections.abc import Iterable

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check. `detail` describes what was found; it is a sentence where `ok` is false.

    `unsure`: the check could not decide, and is not ok for that reason alone.
    """

    subject: str
    ok: bool
    detail: str
    unsure: bool = False


def passed(findings: Iterable[Finding]) -> bool:
    """Whether all are ok. An empty list has not passed."""
    known = list(findings)
    return bool(known) and all(finding.ok for finding in known)


def undecided(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong, but at least one check could not decide."""
    known = list(findings)
    return any(not each.ok for each in known) and all(each.ok or each.unsure for each in known)


def table(findings: Iterable[Finding]) -> list[str]:
    """One aligned line for each finding."""
    known = list(findings)
    width = max((len(finding.subject) for finding in known), default=0)
    return [
        f"  {'ok    ' if finding.ok else 'NOT OK'}  {finding.subject.ljust(width)}  {finding.detail}"
        for finding in known
    ]


def failures(findings: Iterable[Finding]) -> list[str]:
    """One sentence for each finding that is not ok."""
    return [f"{finding.subject}: {finding.detail}" for finding in findings if not finding.ok]
