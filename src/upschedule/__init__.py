"""Schedule PDFs of the University of Pretoria become calendars: README.md says how to run it, docs/ how it works."""
