"""File names from uploads are made safe."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from upschedule.web.http.multipart import safe_file_name


@given(st.text(max_size=400))
def test_any_name_becomes_short_printable_and_without_a_directory(name: str) -> None:
    safe = safe_file_name(name)

    assert 1 <= len(safe) <= 120
    assert "/" not in safe
    assert "\\" not in safe
    assert safe not in {".", ".."}
    assert not [c for c in safe if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@given(st.text(max_size=400))
def test_a_name_once_made_safe_stays_the_same(name: str) -> None:
    assert safe_file_name(safe_file_name(name)) == safe_file_name(name)
