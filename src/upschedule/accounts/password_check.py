"""The check of a password that a person has typed, within the limit on failures (R8.5)."""

from upschedule.accounts.errors import WrongCredentials
from upschedule.accounts.hashing import PasswordHashing
from upschedule.accounts.logins import Login
from upschedule.accounts.throttle import SignInThrottle
from upschedule.settings import LimitSettings


class PasswordCheck:
    """Used for every form with a password: a stolen session must not allow more guesses than the sign-in."""

    def __init__(self, throttle: SignInThrottle, hashing: PasswordHashing) -> None:
        self._throttle = throttle
        self._hashing = hashing

    async def check(
        self, login: Login, *, email: str, password: str, client: str, device: bytes | None, limits: LimitSettings
    ) -> None:
        """`email` and `password` are normalised; `device` is the hash of the id that the browser sent.

        Raises WrongCredentials, SignInBlocked, SignInBusy and StoreError.
        """
        attempt = await self._throttle.begin(
            client=client, email=email, device=device if login.device_known else None, limits=limits
        )
        try:
            right = await self._hashing.verify(login.password_hash, password)
        except Exception:
            await self._throttle.abandoned(attempt)
            raise
        if not right:
            await self._throttle.failed(attempt, limits=limits)
            raise WrongCredentials
        await self._throttle.succeeded(attempt)
