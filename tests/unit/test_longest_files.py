"""The order in which the test processes get the files."""

import pytest

from tests.support.longest_files import LONGEST, place_of
from tests.support.paths import ROOT


@pytest.mark.parametrize("name", LONGEST)
def test_a_file_that_starts_first_exists(name: str) -> None:
    """A file that was moved would start last, and no other test would notice it."""
    assert (ROOT / name).is_file()


def test_the_longest_files_start_first_and_the_others_keep_their_order() -> None:
    """The tests of one file keep their order, too."""
    tests = ["b.py::two", f"{LONGEST[1]}::two[a::b]", "b.py::one", "a.py::one", f"{LONGEST[0]}::one"]

    assert sorted(tests, key=place_of) == [tests[4], tests[1], tests[0], tests[2], tests[3]]
