# The release commands: read the checks of the old and the new instances.
node_prefix "" {
  policy = "read"
}

service_prefix "" {
  policy = "read"
}
