"""The synthetic student: a program that uses the service as a student does, and compares every field."""
