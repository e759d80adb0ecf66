# Beside production.hcl on the three servers.
server           = true
bootstrap_expect = 3

# Elections take a second or two. The default, 5, is for slow machines.
performance {
  raft_multiplier = 1
}

# A replaced server is forgotten once the new one is stable; never below the three that a majority of two needs.
autopilot {
  cleanup_dead_servers      = true
  last_contact_threshold    = "200ms"
  max_trailing_logs         = 250
  min_quorum                = 3
  server_stabilization_time = "10s"
}

ui_config {
  enabled = true
}
