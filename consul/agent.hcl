# Every Consul agent of the cluster: `consul agent -config-file=consul/agent.hcl -config-file=MACHINE.json`.
# The second file has the values of one machine: folder, addresses, ports, the servers' addresses, and the secrets
# `acl.tokens.initial_management` (first start of the servers only) and `encrypt`.

log_level            = "INFO"
disable_update_check = true # No call to a host outside.
disable_remote_exec  = true
leave_on_terminate   = false # A restart is not a departure.

# Consul publishes new output of a check after this time; the default is 5 minutes while the check's state is the same.
check_update_interval = "10s"

ui_config {
  enabled = true
}

connect {
  enabled = false
}

acl {
  enabled        = true
  default_policy = "deny"
  # While no server answers, the agent extends the permissions that it has cached.
  down_policy              = "extend-cache"
  enable_token_persistence = true
}

performance {
  # Elections take seconds; the default suits slow machines.
  raft_multiplier = 1
}

# All clients on a machine have one address: each instance watches settings, and Nomad renders its templates. The default
# of 200 connections refused fifty workers.
limits {
  http_max_conns_per_client = 1000
}

telemetry {
  prometheus_retention_time = "1m"
  disable_hostname          = true
}
