"""Executes another program without root privileges; the kernel ends that program when its parent ends.

Run by file name with the standard library only: `launcher.py PARENT_PID SIGNAL IDENTITY PROGRAM [ARGUMENT …]`.
It is a program because the work must happen between fork and exec, where Python code of a threaded parent is unsafe.
"""

import ctypes
import os
import sys
from pathlib import Path

NOBODY = 65534
_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc[name](*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def _enter_user_namespace() -> None:
    user, group = os.getuid(), os.getgid()
    _call("unshare", _CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def _main(parent: str, death_signal: str, identity: str, *command: str) -> None:
    os.umask(0o077)
    if identity == "nobody":
        _become_nobody()
    elif identity == "namespace":
        _enter_user_namespace()
    # After the change of identity, which clears the setting.
    _call("prctl", _PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != int(parent):
        sys.exit("The parent ended before its child began.")
    os.execv(command[0], command)  # noqa: S606 - the purpose of this file


if __name__ == "__main__":
    _main(*sys.argv[1:])
