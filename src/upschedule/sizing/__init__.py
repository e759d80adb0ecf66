"""Computes how many instances a number of students needs, from the measured costs of one visit. Pure functions."""
