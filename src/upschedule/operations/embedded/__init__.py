"""Real servers from wheels, run as child processes with their data in a directory given: for `make run` and the tests."""
