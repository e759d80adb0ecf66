# An SRE: change the settings in the key-value store, look at everything in the UI, and ask the servers who leads.
operator = "read"

key_prefix "upschedule/" {
  policy = "write"
}

agent_prefix "" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}

service_prefix "" {
  policy = "read"
}
