"""Errors of applying grants."""


class RoleMissing(Exception):
    """A role that the grants are for does not exist."""

    def __init__(self, role: str) -> None:
        super().__init__(f"The role {role} does not exist: create it, then run again.")
