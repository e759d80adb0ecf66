"""Validation of e-mail addresses and passwords.

Passwords follow NIST SP 800-63B: long enough, not well known, no rules of composition.
"""

import functools
import re
import unicodedata
from pathlib import Path

from upschedule.accounts.errors import InvalidCredentials
from upschedule.errors import FieldError

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 256
EMAIL_LENGTH_MAX = 254

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>(),;:\"\\\[\]]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{1,62}")

_COMMON_PASSWORDS = Path(__file__).with_name("common_passwords.txt")
#: Passwords that people would choose for this service, and that lists of other services lack.
_LOCAL_PASSWORDS = frozenset({"tukspassword", "universityofpretoria", "upschedule", "schedule", "welcome123"})


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


def check_password(email: str, password: str) -> None:
    """Takes a normalised address and password. Raises InvalidCredentials for a password that cannot be used."""
    if detail := _password_error(password, email):
        raise InvalidCredentials((FieldError(field="password", detail=detail),))


def _password_error(password: str, email: str) -> str | None:
    if len(password) < PASSWORD_LENGTH_MIN:
        return f"Use at least {PASSWORD_LENGTH_MIN} characters."
    if len(password) > PASSWORD_LENGTH_MAX:
        return f"Use at most {PASSWORD_LENGTH_MAX} characters."
    lower = password.lower()
    guessable = {email, email.partition("@")[0]} | _LOCAL_PASSWORDS
    if lower in guessable or lower in _common_passwords() or len(set(lower)) == 1:
        return "This password is among the first that an attacker would guess; use another."
    return None


@functools.cache
def _common_passwords() -> frozenset[str]:
    """The file's lines below its first paragraph, which names its sources."""
    _, _, passwords = _COMMON_PASSWORDS.read_text(encoding="utf-8").partition("\n\n")
    return frozenset(passwords.splitlines())
