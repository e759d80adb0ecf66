# Every Nomad agent of a production cluster (docs/production.md). A machine reads beside it either server.hcl and the
# file made of machine-server.hcl, or client.hcl and the file made of machine-client.hcl.
data_dir             = "/var/lib/nomad"
region               = "global"
datacenter           = "dc1"
disable_update_check = true

# An agent that restarts keeps its place, and a client its allocations; before a machine goes, drain it.
leave_on_interrupt = false
leave_on_terminate = false

acl {
  enabled    = true
  token_ttl  = "30s"
  policy_ttl = "30s"
}

tls {
  http                   = true
  rpc                    = true
  ca_file                = "/etc/nomad.d/tls/ca.pem"
  cert_file              = "/etc/nomad.d/tls/node.pem"
  key_file               = "/etc/nomad.d/tls/node-key.pem"
  tls_min_version        = "tls12"
  verify_server_hostname = true

  # Who may do what is told by tokens: people, Pulumi and Prometheus need no certificate of their own.
  verify_https_client = false
}

# Services are announced through the machine's own agent. Servers are found by the addresses in the machine's file, so
# that Nomad needs no Consul to elect a leader.
consul {
  address          = "127.0.0.1:8500"
  auto_advertise   = true
  server_auto_join = false
  client_auto_join = false
}

telemetry {
  prometheus_metrics         = true
  publish_allocation_metrics = true
  publish_node_metrics       = true
  collection_interval        = "5s"
}

limits {
  http_max_conns_per_client = 500
}
