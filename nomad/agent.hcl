# Configuration of every Nomad agent of a production cluster (docs/production.md). A server also reads server.hcl and the
# file made of machine-server.hcl, a client also client.hcl and the file made of machine-client.hcl.
data_dir             = "/var/lib/nomad"
region               = "global"
datacenter           = "dc1"
disable_update_check = true

# An agent that restarts stays a member, and a client keeps its allocations. Drain a machine before you remove it.
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

  # Tokens give the rights: users, Pulumi and Prometheus need no certificate of their own.
  verify_https_client = false
}

# Services are registered through the machine's Consul agent. Servers find each other by the addresses in the machine's
# file, so that Nomad can elect a leader without Consul.
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
