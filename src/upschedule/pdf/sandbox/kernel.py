"""System calls for which Python 3.11 has no function."""

import ctypes
import os
import platform
from typing import NamedTuple

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

_CAPABILITY_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


class Machine(NamedTuple):
    """The values that depend on the processor. `column` selects a number in the table of system calls."""

    audit_arch: int
    seccomp: int
    column: int


_MACHINES = {
    "x86_64": Machine(audit_arch=0xC000003E, seccomp=317, column=0),
    "aarch64": Machine(audit_arch=0xC00000B7, seccomp=277, column=1),
}


def machine() -> Machine:
    """Raises OSError on a processor for which no filter is known."""
    try:
        return _MACHINES[platform.machine()]
    except KeyError:
        raise OSError(f"no system call filter is known for {platform.machine()}") from None


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def syscall(number: int, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """Raise OSError when the kernel refuses. Integers are passed in full register width."""
    widened = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *widened))


def prctl(option: int, value: int) -> None:
    """Set an attribute of the calling process that takes one value."""
    _checked(_libc.prctl(option, *(ctypes.c_ulong(argument) for argument in (value, 0, 0, 0))))


def name_process(name: str) -> None:
    """Set the name of the calling process, of which the kernel takes the first 15 bytes."""
    text = ctypes.create_string_buffer(name.encode())
    _checked(_libc.prctl(PR_SET_NAME, text, ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)))


def unshare(flags: int) -> None:
    """Move the calling process, which must have one thread, into new namespaces."""
    _checked(_libc.unshare(flags))


def drop_capabilities() -> None:
    """Give up every capability, also those that a new user namespace or root granted."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()))
