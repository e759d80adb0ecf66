"""What is sent to sign up or in."""

from typing import Annotated

import msgspec


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The password is never logged or shown."""

    email: Annotated[str, msgspec.Meta(max_length=1024, examples=["student@example.org"])]
    password: Annotated[str, msgspec.Meta(max_length=1024, description="8 to 256 characters, any of them")]

    def __repr__(self) -> str:
        """Without the values: an error's traceback may print it."""
        return "Credentials(…)"
