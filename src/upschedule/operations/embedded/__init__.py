"""Real servers from wheels, run as child processes on data in a directory given: for `make run` and the tests."""
