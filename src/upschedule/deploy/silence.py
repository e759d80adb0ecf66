"""Repeats a call while its server is silent. Only for idempotent calls."""

from collections.abc import Callable
from typing import TypeVar

from upschedule.deploy.clock import Clock
from upschedule.deploy.errors import DeployError

T = TypeVar("T")
_RETRY_SECONDS = 2.0


def repeat_while_silent(call: Callable[[], T], *, clock: Clock, seconds: float, report: Callable[[str], None]) -> T:
    """The result of the first call that is answered. Raises the last error after `seconds`, a refusal at once."""
    results: list[T] = []
    errors: list[DeployError] = []

    def answered() -> bool:
        try:
            results.append(call())
        except DeployError as error:
            if not error.is_silence:
                raise
            if not errors:
                report(f"{error}: asking again for {seconds:g} s")
            errors.append(error)
            return False
        return True

    if clock.wait_until(answered, seconds=seconds, every_seconds=_RETRY_SECONDS):
        return results[0]
    raise errors[-1]
