"""What can go wrong with the cluster; the sentence says what to do."""


class ClusterError(Exception):
    """Carries its sentence."""
