"""Bodies of requests and answers that are not a service's own structs."""
