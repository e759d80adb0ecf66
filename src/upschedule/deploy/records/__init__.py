"""Records of releases, from which a rollback submits the jobs. See docs/decisions/0024-release-records.md."""
