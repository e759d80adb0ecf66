"""Visitors without a password, accounts with one, and their sessions."""
