"""What processes without a web page share: health and metrics, rounds, leadership, standing in a release, stopping."""
