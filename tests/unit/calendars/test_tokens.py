"""The secret in a feed's address."""

import re
import uuid

from upschedule.calendars.tokens import feed_token
from upschedule.stores.tokens import token_hash

CALENDAR = uuid.UUID("6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
SECRET = "a secret of the tests, long enough"


def test_a_token_is_derived_again_and_fits_a_url() -> None:
    """It has 192 bits. The golden value ensures that addresses which are in use stay valid (rule 14)."""
    token = feed_token(SECRET, CALENDAR, 1)

    assert token == "jXBjWs5_ieSJj88H4vRYLdLq0evIUjWF"
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", token)


def test_calendar_generation_and_secret_each_give_another_token() -> None:
    tokens = {
        feed_token(SECRET, CALENDAR, 1),
        feed_token(SECRET, CALENDAR, 2),
        feed_token(SECRET, uuid.UUID(int=1), 1),
        feed_token("another secret, as long as that one", CALENDAR, 1),
    }

    assert len({token_hash(token) for token in tokens}) == 4
