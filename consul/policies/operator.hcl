# An SRE: change the settings in the key-value store, and look at everything in the UI.
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
