"""The worker process, which reads documents."""
