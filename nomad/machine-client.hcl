# What differs by machine, with a token: fill in by envsubst (docs/production.md), readable by root only.
name      = "${NODE_NAME}"
bind_addr = "${NODE_ADDRESS}"

# Tasks ask the agent of their own machine.
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
