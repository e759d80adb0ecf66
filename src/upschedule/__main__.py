"""`python -m upschedule` is the same as `upschedule`."""

from upschedule.cli import main

main()
