"""Tests which findings decide against a release, and which only say that a server did not answer."""

import pytest

from upschedule.deploy.findings import Finding, undecided

GOOD = Finding(subject="a", ok=True, detail="")
WRONG = Finding(subject="b", ok=False, detail="fails")
SILENT = Finding(subject="c", ok=False, detail="cannot be asked", unsure=True)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [([], False), ([GOOD], False), ([GOOD, SILENT], True), ([SILENT, WRONG], False), ([GOOD, WRONG], False)],
)
def test_a_silence_decides_nothing_and_a_fault_beside_it_does(findings: list[Finding], *, expected: bool) -> None:
    assert undecided(findings) is expected
