# The three servers read this file beside production.hcl.
server           = true
bootstrap_expect = 3

# Elections take one or two seconds. The default, 5, suits slow machines.
performance {
  raft_multiplier = 1
}

# Removes a replaced server once the new one is stable, but keeps three, which need a majority of two.
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
