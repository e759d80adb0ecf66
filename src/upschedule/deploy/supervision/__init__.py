"""Watches a release after its promotion. See docs/decisions/0026-watch-after-promotion.md."""
