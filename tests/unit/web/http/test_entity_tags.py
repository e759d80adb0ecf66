"""The comparison of entity tags."""

from upschedule.web.http.entity_tags import matches


def test_an_entity_tag_is_compared_weakly() -> None:
    assert matches('W/"a", "b"', '"a"')
    assert matches("*", '"a"')
    assert not matches('"ab"', '"a"')
    assert not matches(None, '"a"')
