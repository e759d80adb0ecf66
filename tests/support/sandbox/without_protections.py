"""A host that refuses protections: this process denies itself namespaces and Landlock, then opens a sandbox.

Arguments: the protections that the policy requires. Prints what is refused and whether all was read, or the error.
"""

import asyncio
import ctypes
import errno
import random
import struct
import sys

from tests.support.documents.generate import print_schedule
from tests.support.documents.schedules import KINDS
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox import Protection, Sandbox, SandboxFailed, SandboxLimits, SandboxPolicy, kernel

_LANDLOCK_CREATE_RULESET = 444
# On x86_64 and aarch64.
_UNSHARE = (272, 97)


def refuse_protections() -> None:
    """Answer as a kernel without Landlock and with user namespaces switched off."""
    jump, load, leave = 0x15, 0x20, 0x06
    machine = kernel.machine()
    program = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (load, 0, 0, 0),
            (jump, 0, 1, _LANDLOCK_CREATE_RULESET),
            (leave, 0, 0, 0x00050000 | errno.EOPNOTSUPP),
            (jump, 0, 1, _UNSHARE[machine.column]),
            (leave, 0, 0, 0x00050000 | errno.EPERM),
            (leave, 0, 0, 0x7FFF0000),
        )
    )
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.syscall(machine.seccomp, 1, 0, ctypes.create_string_buffer(header, len(header)))


async def main() -> None:
    policy = SandboxPolicy(required=frozenset(map(Protection, sys.argv[1:])))
    document = print_schedule(random.Random(1), KINDS[0], 5)  # noqa: S311 -- invented contents
    try:
        async with Sandbox(limits=SandboxLimits(), reading=ReadingLimits(), policy=policy) as sandbox:
            read = await sandbox.read(document.data, deadline_seconds=30, on_progress=lambda _done, _total: None)
            print("refused:", *sorted(sandbox.refused), "all pages:", read.pages == document.pages)  # noqa: T201 -- the test reads it
    except SandboxFailed as error:
        print(f"{type(error).__name__}: {error}")  # noqa: T201 -- as above


refuse_protections()
asyncio.run(main())
