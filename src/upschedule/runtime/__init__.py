"""Shared by worker and scheduler: health and metrics, periodic rounds, leadership, rollout gate, stop signals."""
