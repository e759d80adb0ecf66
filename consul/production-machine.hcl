# The values of one machine, and the gossip key. Fill it in by envsubst (docs/production.md); only Consul may read it.
node_name  = "${NODE_NAME}"
bind_addr  = "${NODE_ADDRESS}"
retry_join = ["${SERVER_1}", "${SERVER_2}", "${SERVER_3}"]
encrypt    = "${CONSUL_GOSSIP_KEY}"
