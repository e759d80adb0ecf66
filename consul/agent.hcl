# Every Consul agent of the cluster: `consul agent -config-file=consul/agent.hcl -config-file=MACHINE.json`.
# What differs from machine to machine is in the second file: folder, addresses, ports, who the servers are, and the
# secrets `acl.tokens.initial_management` (first start of the servers only) and `encrypt`.

log_level            = "INFO"
disable_update_check = true # No call to a host outside.
disable_remote_exec  = true
leave_on_terminate   = false # A restart is not a departure.

# What a failing check says is known to everybody this soon; by default only after 5 minutes while its state stays.
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
  # With the servers away, what was allowed a moment ago goes on.
  down_policy              = "extend-cache"
  enable_token_persistence = true
}

performance {
  # Elections within seconds; the default is for small machines.
  raft_multiplier = 1
}

# Everything on the machine asks from one address: each instance watches settings, and Nomad fills its templates. With the
# default of 200 fifty workers were refused.
limits {
  http_max_conns_per_client = 1000
}

telemetry {
  prometheus_retention_time = "1m"
  disable_hostname          = true
}
