"""The address of the next page of a list."""

import datetime as dt
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upschedule.processing.service import Cursor
from upschedule.web.api.job_schemas import decode_cursor, encode_cursor
from upschedule.web.http.errors import InvalidRequest


def test_a_cursor_survives_its_address() -> None:
    cursor = Cursor(created_at=dt.datetime(2026, 2, 9, 7, 30, 0, 123456, tzinfo=dt.UTC), job_id=uuid.UUID(int=7))

    text = encode_cursor(cursor)
    assert text.replace("-", "").replace("_", "").isalnum()
    assert decode_cursor(text) == cursor


@given(st.text(max_size=80))
def test_what_is_no_cursor_is_an_invalid_request(text: str) -> None:
    with pytest.raises(InvalidRequest):
        decode_cursor(text)
