"""Refusals of signing up and signing in."""

from upschedule.errors import FieldError, Refusal


class InvalidCredentials(Refusal):
    """Some of the details cannot be used. Correct the fields named and send them again."""

    code = "invalid-details"
    title = "Details cannot be used"

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        self.errors = errors
        super().__init__()


class AlreadySignedUp(Refusal):
    """You are signed in to an account. Sign out first to make another one."""

    code = "already-signed-up"
    title = "Already signed up"


class WrongCredentials(Refusal):
    """The address and the password do not belong together. Check both and try again."""

    code = "wrong-credentials"
    title = "Could not sign in"


class SignInBlocked(Refusal):
    """Too many failed attempts. Signing in is blocked for a while here; everything else goes on."""

    code = "sign-in-blocked"
    title = "Signing in is blocked"

    def __init__(self, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__()


class SignInBusy(Refusal):
    """Too many people are signing in or up at once. Try again in a few seconds."""

    code = "sign-in-busy"
    title = "Signing in is busy"
    retry_after_seconds = 5


class NoVisitor(Refusal):
    """This browser has no session yet. Upload a schedule, sign up or sign in first."""

    code = "not-signed-in"
    title = "Not signed in"


class LinkExpired(Refusal):
    """This link was used already, or is too old. Sign up again, or ask for a new password again, to get another one."""

    code = "link-expired"
    title = "This link is no longer valid"
