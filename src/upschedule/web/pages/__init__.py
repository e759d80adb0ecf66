"""The pages that people see: rendered here, made livelier by `static/`."""
