"""Gives up every privilege that reading does not need: some in the zygote, and the rest in each child."""

import os
import resource
import signal
from collections.abc import Callable

from upschedule.pdf.sandbox import kernel, landlock, seccomp
from upschedule.pdf.sandbox.limits import Protection, SandboxLimits

_OOM_SCORE = "/proc/self/oom_score_adj"


def die_first_and_with_the_parent() -> None:
    """End with the parent, before it when memory runs out, and hide our memory. Children inherit the last two.

    The order is the kernel's: a process that is not dumpable may no longer write to its own /proc, where there is one.
    """
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        with open(_OOM_SCORE, "w", encoding="ascii") as score:  # noqa: PTH123 -- pathlib is a needless import in every child
            score.write("1000")
    except FileNotFoundError:
        pass
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def _enter_namespaces() -> None:
    kernel.unshare(
        kernel.CLONE_NEWUSER | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS
    )
    # The change of credentials has cleared it.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


_PREPARATIONS: dict[Protection, Callable[[], object]] = {
    Protection.SECCOMP: seccomp.require_available,
    Protection.LANDLOCK: landlock.version,
    Protection.NAMESPACES: _enter_namespaces,
}


def prepare() -> dict[Protection, str]:
    """Enter namespaces without a network, which children inherit; return what this host refuses, and why."""
    refused: dict[Protection, str] = {}
    for protection, attempt in _PREPARATIONS.items():
        try:
            attempt()
        except OSError as error:
            refused[protection] = str(error)
    return refused


def drop_privileges() -> None:
    """Give up every capability, also those of a new user namespace, and any way to gain one. Children inherit it."""
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def _limit_resources(limits: SandboxLimits) -> None:
    cpu_seconds = limits.cpu_seconds_max
    for kind, soft, hard in (
        (resource.RLIMIT_AS, limits.memory_bytes_max, limits.memory_bytes_max),
        # SIGXCPU at the soft limit; SIGKILL a second later if it was caught.
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NOFILE, 0, 0),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(kind, (soft, hard))


def lock_down(limits: SandboxLimits, refused: frozenset[Protection], *, parent: int) -> None:
    """Leave the calling process its memory, its clock and its open descriptors. Raises OSError rather than leave a gap.

    `refused` holds the protections that `prepare` found missing.
    """
    drop_privileges()
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError("the parent has already ended")
    if Protection.LANDLOCK not in refused:
        landlock.deny_all()
    _limit_resources(limits)
    if Protection.SECCOMP not in refused:
        seccomp.install()
