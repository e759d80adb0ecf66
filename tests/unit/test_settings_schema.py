"""A setting restored from a manifest accepts exactly the values that the processes of that release accept."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upschedule.settings import loading
from upschedule.settings.schema import SchemaUnreadable, SettingDescription, describe, restore

FIELDS = {field.variable: field for field in loading.fields()}
#: The settings as a manifest contains them.
RESTORED = restore(msgspec.json.decode(msgspec.json.encode(describe()), type=dict[str, SettingDescription]))
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 1, -1, 64, 65_535, 65_536, 2**31])).map(str)
WORDS = [
    "",
    "true",
    "yes",
    "null",
    "many",
    "info",
    "landlock, namespaces",
    "landlock,none",
    "https://a.example",
    "http://a.example/b",
    "redis://a",
    "postgresql://a",
    "10.0.0.0/24, ::1/128",
    "10.0.0.5/24",
    "x" * 301,
]


def outcome(field: loading.SettingField, text: str) -> Any:
    """The value, or the reason of the refusal."""
    try:
        return field.parse(text)
    except msgspec.ValidationError as error:
        return str(error)


def test_every_setting_is_described() -> None:
    """The description includes everything that decides whether a process starts."""
    assert list(RESTORED) == list(FIELDS)
    for variable, field in FIELDS.items():
        same = RESTORED[variable]
        assert (same.required, same.secret, same.api_only) == (field.required, field.secret, field.api_only)
        assert (same.networks, same.name, same.url) == (field.networks, field.name, field.url)
        assert (same.at_most, same.below) == (field.at_most, field.below)


@pytest.mark.parametrize("text", WORDS)
def test_a_word_means_the_same_to_both(text: str) -> None:
    """Both give the same value, or the same reason."""
    expected = {variable: repr(outcome(field, text)) for variable, field in FIELDS.items()}

    assert {variable: repr(outcome(field, text)) for variable, field in RESTORED.items()} == expected


@given(variable=st.sampled_from(list(FIELDS)), text=st.one_of(NUMBERS, st.text(max_size=20)))
@settings(max_examples=500)
def test_a_text_means_the_same_to_both(variable: str, text: str) -> None:
    """The texts are numbers at and beyond every bound, and arbitrary text."""
    assert repr(outcome(RESTORED[variable], text)) == repr(outcome(FIELDS[variable], text))


@pytest.mark.parametrize("schema", [{"type": "object"}, {"$ref": "#/x"}, {"type": "integer", "multipleOf": 5}, {}])
def test_a_form_that_is_not_known_is_refused(schema: dict[str, Any]) -> None:
    """If it were treated as text, any value would be valid."""
    with pytest.raises(SchemaUnreadable):
        restore({"jobs/patience": SettingDescription(schema=schema)})
