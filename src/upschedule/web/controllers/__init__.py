"""One controller a resource: parse, call a service, shape the answer."""
