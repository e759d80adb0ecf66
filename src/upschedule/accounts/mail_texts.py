"""The messages to people who sign up or have forgotten their password. Pure functions."""

from email.message import EmailMessage

_END = """
If you did not ask for this, you need not do anything.

UP Schedule Generator
{public_url}
"""
_CONFIRM = """Hello

With this link you finish signing up at the UP Schedule Generator. It asks for the password that you chose:

{link}

It is valid for {hours} hours.
"""
_HAS_ACCOUNT = """Hello

A person wants to sign up at the UP Schedule Generator with this address. There is an account with it already.

Sign in: {public_url}/account/sign-in
If you have forgotten the password: {public_url}/account/forgot
"""
_RESET = """Hello

With this link you choose a new password for the UP Schedule Generator:

{link}

It is valid for {minutes} minutes, and once.
"""


def confirmation(link: str, *, public_url: str, hours: int) -> EmailMessage:
    """The message to an address without an account."""
    return _message("Finish signing up", _CONFIRM.format(link=link, hours=hours), public_url)


def has_account(*, public_url: str) -> EmailMessage:
    """The message to an address that has an account and signs up again."""
    return _message("You have an account already", _HAS_ACCOUNT.format(public_url=public_url), public_url)


def reset(link: str, *, public_url: str, minutes: int) -> EmailMessage:
    """The message to the address of an account whose password is forgotten."""
    return _message("Choose a new password", _RESET.format(link=link, minutes=minutes), public_url)


def _message(subject: str, text: str, public_url: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    # No program answers it with an absence notice (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text + _END.format(public_url=public_url))
    return message
