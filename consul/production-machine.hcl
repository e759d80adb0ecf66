# What differs by machine, and the gossip key: fill in by envsubst (docs/production.md), readable by Consul only.
node_name  = "${NODE_NAME}"
bind_addr  = "${NODE_ADDRESS}"
retry_join = ["${SERVER_1}", "${SERVER_2}", "${SERVER_3}"]
encrypt    = "${CONSUL_GOSSIP_KEY}"
