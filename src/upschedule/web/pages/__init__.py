"""The pages for students, rendered on the server.

The scripts in `static/` make them faster, and each page works without them.
"""
