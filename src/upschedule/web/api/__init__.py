"""The API: a controller for each resource (parse, call a service, shape the answer) beside its schemas."""
