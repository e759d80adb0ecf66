"""What was checked, and whether it is well. Pure."""

from collections.abc import Iterable

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`said` is what was found, a sentence where `ok` is false."""

    checked: str
    ok: bool
    said: str


def passed(findings: Iterable[Finding]) -> bool:
    """Nothing checked is not passed."""
    known = list(findings)
    return bool(known) and all(finding.ok for finding in known)


def table(findings: Iterable[Finding]) -> list[str]:
    """A line for each, aligned."""
    known = list(findings)
    width = max((len(finding.checked) for finding in known), default=0)
    return [
        f"  {'ok    ' if finding.ok else 'NOT OK'}  {finding.checked.ljust(width)}  {finding.said}" for finding in known
    ]


def failures(findings: Iterable[Finding]) -> list[str]:
    """A sentence for each that is not ok."""
    return [f"{finding.checked}: {finding.said}" for finding in findings if not finding.ok]
