# The values of one machine, and a token. Fill it in by envsubst (docs/production.md); only root may read it.
name      = "${NODE_NAME}"
bind_addr = "${NODE_ADDRESS}"

# Tasks use the agent of their own machine.
addresses {
  http = "127.0.0.1 ${NODE_ADDRESS}"
}

advertise {
  http = "${NODE_ADDRESS}"
  rpc  = "${NODE_ADDRESS}"
  serf = "${NODE_ADDRESS}"
}

client {
  network_interface = "${NETWORK_INTERFACE}"

  server_join {
    retry_join = ["${SERVER_1}", "${SERVER_2}", "${SERVER_3}"]
  }
}

consul {
  token = "${CONSUL_TOKEN}"
}
