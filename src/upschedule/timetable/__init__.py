"""Printed events, academic years and calendar entries: pure values and functions without I/O and clock."""
