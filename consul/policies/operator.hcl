# An operator: change settings in the key-value store, view everything in the UI, and query which server leads.
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
