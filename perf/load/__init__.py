"""Load tests of the whole service (requirement 7): `python -m perf.load PROFILE`, or `nox -s load_PROFILE`."""
