"""Tests which e-mail addresses and passwords are accepted."""

from contextlib import suppress
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upschedule.accounts.credentials import normalised_email, normalised_password, validate
from upschedule.accounts.errors import InvalidCredentials


@pytest.mark.parametrize(
    "email", ["u12345678@tuks.co.za", "a.b+c@example.org", "müller@exämple.de", "x@sub.example.com"]
)
def test_an_ordinary_address_is_taken(email: str) -> None:
    validate(normalised_email(email), "correct horse")


@pytest.mark.parametrize(
    "email", ["", "@", "a@", "@b.org", "a@b", "a@@b.org", "a b@c.org", "a@b..org", "a@-b.org", "a\n@b.org", "<a@b.org>"]
)
def test_what_is_no_address_is_named(email: str) -> None:
    with pytest.raises(InvalidCredentials) as refused:
        validate(normalised_email(email), "correct horse")
    assert [error.field for error in refused.value.errors] == ["email"]


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_input_does_anything_but_pass_or_be_refused(email: str, password: str) -> None:
    """No input causes an error other than InvalidCredentials."""
    with suppress(InvalidCredentials):
        validate(normalised_email(email), normalised_password(password))


def test_a_password_needs_no_digit_or_sign() -> None:
    """Only the length counts, and that the password is not a common one (NIST SP 800-63B)."""
    validate("a@example.org", "only small letters")
    validate("a@example.org", "🐘🌍🎓ñandú")


def test_the_same_keys_on_two_systems_are_one_password() -> None:
    assert normalised_password("caf\u0065\u0301 \ufb01ve") == normalised_password("caf\u00e9 five")


@pytest.mark.parametrize(
    "password", ["password123", "Liverpool", "1qaz2wsx3edc", "TUKSpassword", "universityofpretoria"]
)
def test_a_password_that_is_commonly_used_is_refused(password: str) -> None:
    with pytest.raises(InvalidCredentials) as refused:
        validate("a@example.org", password)
    assert [error.field for error in refused.value.errors] == ["password"]


def test_the_list_of_common_passwords_is_long_and_contains_only_what_length_lets_pass() -> None:
    """The list has at least 10,000 passwords. Shorter ones than the minimum length would be refused anyway."""
    _, _, passwords = files("upschedule.accounts").joinpath("common_passwords.txt").read_text("utf-8").partition("\n\n")
    found = passwords.splitlines()
    assert len(set(found)) == len(found) > 10_000
    assert all(len(password) >= 8 and password == password.lower() for password in found)
