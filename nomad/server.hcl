# Beside agent.hcl on the three servers.
server {
  enabled          = true
  bootstrap_expect = 3
  raft_multiplier  = 1

  # A client is lost this long after its missed heartbeat; its allocations are then placed on others.
  heartbeat_grace = "10s"
}

# A replaced server is forgotten once the new one is stable. Kept by the servers: set once, later by
# `nomad operator autopilot set-config`.
autopilot {
  cleanup_dead_servers      = true
  last_contact_threshold    = "200ms"
  max_trailing_logs         = 250
  min_quorum                = 3
  server_stabilization_time = "10s"
}
