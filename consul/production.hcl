# Every Consul agent of a production cluster (docs/production.md). A server reads production-server.hcl beside it, and
# every machine the file made of production-machine.hcl.
data_dir             = "/var/lib/consul"
datacenter           = "dc1"
disable_update_check = true
disable_remote_exec  = true

# The API serves only this machine; other machines use their own agent.
client_addr = "127.0.0.1"

# An agent that restarts stays a member. `consul leave` removes an agent for good.
leave_on_terminate      = false
skip_leave_on_interrupt = true
rejoin_after_leave      = true

ports {
  grpc     = -1
  grpc_tls = -1
  serf_wan = -1
}

connect {
  enabled = false
}

encrypt_verify_incoming = true
encrypt_verify_outgoing = true

tls {
  defaults {
    ca_file         = "/etc/consul.d/tls/ca.pem"
    cert_file       = "/etc/consul.d/tls/node.pem"
    key_file        = "/etc/consul.d/tls/node-key.pem"
    tls_min_version = "TLSv1_2"
    verify_incoming = true
    verify_outgoing = true
  }

  # A client's certificate does not make it a server.
  internal_rpc {
    verify_server_hostname = true
  }
}

acl {
  enabled        = true
  default_policy = "deny"

  # While no server answers, the agent extends the permissions that it has cached.
  down_policy              = "extend-cache"
  enable_token_persistence = true
}

# DNS also answers while there is no leader.
dns_config {
  allow_stale = true
  max_stale   = "24h"
}

limits {
  http_max_conns_per_client = 1000
}

telemetry {
  prometheus_retention_time = "60s"
  disable_hostname          = true
}
