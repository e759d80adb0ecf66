# Traefik: read which instances are healthy.
node_prefix "" {
  policy = "read"
}

service_prefix "" {
  policy = "read"
}
