"""Filters system calls: allows what a reader of bytes in memory needs, and refuses all others with EPERM."""

import ctypes
import errno
import os
import struct

from upschedule.pdf.sandbox import kernel

_LOAD = 0x20
_JUMP_IF_EQUAL = 0x15
_JUMP_IF_BITS = 0x45
_RETURN = 0x06

_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_REFUSE = 0x00050000 | errno.EPERM

_SET_MODE_FILTER = 1
_GET_ACTION_AVAILABLE = 2

# Offsets in struct seccomp_data; of an argument its low half, as both machines are little-endian.
_NUMBER = 0
_ARCHITECTURE = 4
_ARGUMENT_0 = 16
_ARGUMENT_2 = 32

_PROT_EXEC = 4

# Numbers on x86_64 and aarch64. Frequent calls come first: the filter is read from the top for each call.
_ALLOWED = {
    "futex": (202, 98),
    "brk": (12, 214),
    "munmap": (11, 215),
    "madvise": (28, 233),
    "mremap": (25, 216),
    "write": (1, 64),
    "read": (0, 63),
    "clock_gettime": (228, 113),
    "gettimeofday": (96, 169),
    "getrandom": (318, 278),
    "sched_yield": (24, 124),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "close": (3, 57),
    "restart_syscall": (219, 128),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
# Memory is never made executable: what a hostile file writes cannot be run.
_ALLOWED_UNLESS_EXECUTABLE = {"mmap": (9, 222), "mprotect": (10, 226)}
# abort() signals its own process, and dies of SIGSEGV if it may not: the report would be wrong.
_TGKILL = (234, 131)


def _instruction(code: int, value: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _allow(number: int) -> bytes:
    return _instruction(_JUMP_IF_EQUAL, number, if_false=1) + _instruction(_RETURN, _ALLOW)


def _allow_if(number: int, argument: int, test: int, value: int, *, when: bool) -> bytes:
    """Allow the call if the test of its argument comes out as `when`."""
    return (
        _instruction(_JUMP_IF_EQUAL, number, if_false=4)
        + _instruction(_LOAD, argument)
        + _instruction(test, value, if_false=1)
        + _instruction(_RETURN, _ALLOW if when else _REFUSE)
        + _instruction(_RETURN, _REFUSE if when else _ALLOW)
    )


def _program(machine: kernel.Machine, process_id: int) -> bytes:
    column = machine.column
    return b"".join(
        (
            _instruction(_LOAD, _ARCHITECTURE),
            # A call by another architecture's numbers (32-bit on x86_64) has no innocent reason.
            _instruction(_JUMP_IF_EQUAL, machine.audit_arch, if_true=1),
            _instruction(_RETURN, _KILL_PROCESS),
            _instruction(_LOAD, _NUMBER),
            *(_allow(numbers[column]) for numbers in _ALLOWED.values()),
            *(
                _allow_if(numbers[column], _ARGUMENT_2, _JUMP_IF_BITS, _PROT_EXEC, when=False)
                for numbers in _ALLOWED_UNLESS_EXECUTABLE.values()
            ),
            _allow_if(_TGKILL[column], _ARGUMENT_0, _JUMP_IF_EQUAL, process_id, when=True),
            _instruction(_RETURN, _REFUSE),
        )
    )


def require_available() -> None:
    """Raise OSError if this kernel or machine knows no such filter."""
    action = ctypes.create_string_buffer(struct.pack("=I", _KILL_PROCESS), 4)
    kernel.syscall(kernel.machine().seccomp, _GET_ACTION_AVAILABLE, 0, action)


def install() -> None:
    """Filter the calling process for the rest of its life. Needs `no_new_privs`; raises OSError."""
    machine = kernel.machine()
    program = _program(machine, os.getpid())
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count of 8-byte instructions, padding, a pointer.
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    kernel.syscall(machine.seccomp, _SET_MODE_FILTER, 0, ctypes.create_string_buffer(header, len(header)))
