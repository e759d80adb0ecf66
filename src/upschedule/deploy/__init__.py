"""Commands for a release: status, watch, gate, promotion and rollback, with clients of Nomad, Consul and Prometheus."""
