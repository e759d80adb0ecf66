"""How reading in the sandbox can fail for a reason that does not lie in the file."""


class SandboxFailed(Exception):
    """The document was not read, through no fault of its own: the same file may be read when it is tried again."""


class QuantumUsedUp(Exception):
    """The document was not read within the processor time that this reading had; with more of it, it may be."""


class ProtectionMissing(SandboxFailed):
    """This host refuses a protection that the policy requires, so no document is read (fails closed)."""

    def __init__(self, refused: dict[str, str]) -> None:
        self.refused = refused
        reasons = "; ".join(f"{name}: {reason}" for name, reason in sorted(refused.items()))
        super().__init__(f"this host refuses protections that the sandbox requires ({reasons})")
