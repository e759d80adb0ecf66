"""Compares a new release with the running one over the same minutes. Independent of commands and of the gate."""
