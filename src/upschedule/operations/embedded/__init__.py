"""Runs real servers from wheels as child processes, with data in a directory: for `make run` and the tests."""
