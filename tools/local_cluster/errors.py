"""Errors of the local cluster."""


class ClusterError(Exception):
    """The text says what is wrong and what to do."""
