"""Landlock: after `deny_all` no path can be opened, no TCP port used and no process outside signalled."""

import ctypes
import os
import struct

from upschedule.pdf.sandbox import kernel

# The same numbers on every machine.
_CREATE_RULESET = 444
_RESTRICT_SELF = 446
_CREATE_RULESET_VERSION = 1

# The rights that each version of the kernel's interface added.
_FILE_RIGHTS_1 = (1 << 13) - 1
_FILE_RIGHTS_SINCE = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_NETWORK_RIGHTS = 0b11
_NETWORK_SINCE = 4
_SCOPES = 0b11
_SCOPES_SINCE = 6


def version() -> int:
    """Return the version of Landlock's interface; raises OSError if the kernel lacks it or has it switched off."""
    return kernel.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)


def _handled(abi: int) -> bytes:
    """Every right that this kernel can refuse, as a struct landlock_ruleset_attr of the size that it knows."""
    files = _FILE_RIGHTS_1
    for since, right in _FILE_RIGHTS_SINCE.items():
        files |= right if abi >= since else 0
    handled = [files]
    if abi >= _NETWORK_SINCE:
        handled.append(_NETWORK_RIGHTS)
    if abi >= _SCOPES_SINCE:
        handled.append(_SCOPES)
    return struct.pack(f"={len(handled)}Q", *handled)


def deny_all() -> None:
    """Handle every right and grant none, for the rest of the process's life. Needs `no_new_privs`; raises OSError."""
    handled = _handled(version())
    ruleset = kernel.syscall(_CREATE_RULESET, ctypes.create_string_buffer(handled, len(handled)), len(handled), 0)
    try:
        kernel.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
