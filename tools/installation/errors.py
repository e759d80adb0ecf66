"""Errors of an installation."""

#: What to check when something could not be fetched.
NETWORK_ADVICE = (
    "The first installation needs a network. Behind a proxy set HTTPS_PROXY, for a mirror UV_DEFAULT_INDEX, for a "
    "certificate authority of your own SSL_CERT_FILE; then run again."
)


class InstallationError(Exception):
    """Its text says what happened and what to do."""
