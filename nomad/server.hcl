# The three servers read this file beside agent.hcl.
server {
  enabled          = true
  bootstrap_expect = 3
  raft_multiplier  = 1

  # Time from a missed heartbeat until a client is lost and its allocations are placed on other clients.
  heartbeat_grace = "10s"
}

# Removes a replaced server once the new one is stable. Nomad reads this at the first start only; later use
# `nomad operator autopilot set-config`.
autopilot {
  cleanup_dead_servers      = true
  last_contact_threshold    = "200ms"
  max_trailing_logs         = 250
  min_quorum                = 3
  server_stabilization_time = "10s"
}
