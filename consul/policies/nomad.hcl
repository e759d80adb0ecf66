# Nomad's agents: register services and their checks, and read the settings that tasks' templates render.
agent_prefix "" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}

service_prefix "" {
  policy = "write"
}

key_prefix "upschedule/" {
  policy = "read"
}
