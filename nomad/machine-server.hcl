# The values of one machine, gossip key and token. Fill it in by envsubst (docs/production.md); only root may read it.
name      = "${NODE_NAME}"
bind_addr = "${NODE_ADDRESS}"

addresses {
  http = "127.0.0.1 ${NODE_ADDRESS}"
}

advertise {
  http = "${NODE_ADDRESS}"
  rpc  = "${NODE_ADDRESS}"
  serf = "${NODE_ADDRESS}"
}

server {
  encrypt = "${NOMAD_GOSSIP_KEY}"

  server_join {
    retry_join = ["${SERVER_1}", "${SERVER_2}", "${SERVER_3}"]
  }
}

consul {
  token = "${CONSUL_TOKEN}"
}
