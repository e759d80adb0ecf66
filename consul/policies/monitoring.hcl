# Prometheus: read the figures of the agents.
agent_prefix "" {
  policy = "read"
}
