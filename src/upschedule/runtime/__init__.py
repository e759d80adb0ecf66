"""What worker and scheduler share: health and metrics, periodic rounds, leadership, rollout gate, stop signals."""
