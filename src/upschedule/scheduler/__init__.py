"""The process that finds what was lost and removes what is past its time."""
