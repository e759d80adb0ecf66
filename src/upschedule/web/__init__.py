"""The HTTP interface: a Litestar application behind a boundary that gives every answer its id, headers and log line."""
