"""The restore drill with few rows: its full size is `nox -s restore_drill` (R9.3)."""

import pytest

from perf.restore_drill import drill

pytestmark = pytest.mark.timeout(300)


def test_everything_that_is_destroyed_comes_back() -> None:
    """Rows, files of documents and keys are compared after the restore; how long it takes is for the full drill."""
    result = drill(jobs=1000, calendars=100, files=20, writing_seconds=2)

    assert result.problems == []
    assert result.files == 20
