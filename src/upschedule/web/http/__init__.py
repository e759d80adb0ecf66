"""Shared parts of the HTTP interface: boundary, guards, rate limits, identity, bodies, problems."""
