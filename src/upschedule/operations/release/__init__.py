"""Packs a release, and pushes it to the bucket from which Nomad fetches it (R12.1)."""
