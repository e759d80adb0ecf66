"""The bodies of requests to sign up or in."""

from typing import Annotated

import msgspec


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password is never logged or shown."""

    email: Annotated[str, msgspec.Meta(max_length=1024, examples=["student@example.org"])]
    password: Annotated[str, msgspec.Meta(max_length=1024, description="8 to 256 characters, any of them")]

    def __repr__(self) -> str:
        """Leaves out the values, since an error's traceback may print it."""
        return "Credentials(…)"


#: The detail of the answer to a sign-up where mail is sent.
BY_MAIL = (
    "Open the link in the message that was sent to this address, and give the password there. An address with an "
    "account gets a message, too."
)


class SignUpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The same for every address. `sign_in` is where to go next."""

    detail: str = (
        "Sign in with this address and password now. If that is refused, the address belongs to an account with "
        "another password: use that one, or sign up with another address."
    )
    sign_in: str = "/api/v1/sessions"
