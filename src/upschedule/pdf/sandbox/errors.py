"""Errors of the sandbox: a document was not read for reasons that do not lie in the file."""


class SandboxFailed(Exception):
    """The document was not read, but not because of its content: another attempt may read it."""


class QuantumUsedUp(Exception):
    """The document was not read within the CPU time of this reading. It may be read with more CPU time."""


class ProtectionMissing(SandboxFailed):
    """This host refuses a protection that the policy requires, so no document is read (fails closed)."""

    def __init__(self, refused: dict[str, str]) -> None:
        self.refused = refused
        reasons = "; ".join(f"{name}: {reason}" for name, reason in sorted(refused.items()))
        super().__init__(f"this host refuses protections that the sandbox requires ({reasons})")
