"""Resource limits of one reading, and the protections that it requires."""

from enum import StrEnum

import msgspec

MEBIBYTE = 1 << 20


class SandboxLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The resources that one document may use (R1.5, R11.1).

    The kernel enforces memory and processor time, the worker wall clock and the size of the result. `memory_bytes_max`
    is address space, of which the warm interpreter has taken about 100 MiB.
    """

    memory_bytes_max: int = 768 * MEBIBYTE
    cpu_seconds_max: int = 10
    wall_seconds_max: float = 120.0
    result_bytes_max: int = 8 * MEBIBYTE


class Protection(StrEnum):
    """A protection that a hardened or old host may refuse; resource limits and dropped privileges are not optional."""

    SECCOMP = "seccomp"
    LANDLOCK = "landlock"
    NAMESPACES = "namespaces"


class SandboxPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """No document is read without the protections in `required`. The others are used if the host supports them.

    seccomp alone blocks files, network and processes, so at least seccomp should be required.
    """

    required: frozenset[Protection] = frozenset({Protection.SECCOMP})
