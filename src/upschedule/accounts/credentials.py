"""Validation of e-mail addresses and passwords.

Passwords follow NIST SP 800-63B: long enough, not well known, no rules of composition.
"""

import re
import unicodedata

from upschedule.accounts.errors import InvalidCredentials
from upschedule.errors import FieldError

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 256
EMAIL_LENGTH_MAX = 254

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>(),;:\"\\\[\]]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{1,62}")

#: The head of every published list of leaked passwords that is long enough to pass the length rule.
_WELL_KNOWN = frozenset(
    {
        *("password", "password1", "password12", "password123", "passw0rd", "p@ssw0rd", "12345678", "123456789"),
        *("1234567890", "0123456789", "0987654321", "87654321", "qwertyui", "qwertyuiop", "qwerty123", "1q2w3e4r"),
        *("1q2w3e4r5t", "1qaz2wsx", "abcd1234", "abc12345", "asdfghjkl", "iloveyou", "sunshine", "princess"),
        *("football", "baseball", "superman", "trustno1", "whatever", "starwars", "computer", "internet", "letmein1"),
        *("welcome1", "welcome123", "changeme", "tukspassword", "universityofpretoria", "upschedule", "schedule"),
    }
)


def normalised_email(text: str) -> str:
    """One spelling for one mailbox: NFC, lower case, no surrounding space. Checks nothing."""
    return unicodedata.normalize("NFC", text.strip()).lower()


def normalised_password(text: str) -> str:
    """NFKC, so that the same keys pressed on two systems are one password."""
    return unicodedata.normalize("NFKC", text)


def validate(email: str, password: str) -> None:
    """Takes a normalised address and password. Raises InvalidCredentials, which names each invalid field."""
    errors = [
        FieldError(field=field, detail=detail)
        for field, detail in (("email", _email_error(email)), ("password", _password_error(password, email)))
        if detail
    ]
    if errors:
        raise InvalidCredentials(tuple(errors))


def _email_error(email: str) -> str | None:
    if len(email) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(email):
        return "This is not an e-mail address; it should look like name@example.org."
    return None


def _password_error(password: str, email: str) -> str | None:
    if len(password) < PASSWORD_LENGTH_MIN:
        return f"Use at least {PASSWORD_LENGTH_MIN} characters."
    if len(password) > PASSWORD_LENGTH_MAX:
        return f"Use at most {PASSWORD_LENGTH_MAX} characters."
    known = password.lower()
    if known in _WELL_KNOWN or known in {email, email.partition("@")[0]} or len(set(known)) == 1:
        return "This password is among the first that anybody would guess; use another."
    return None
