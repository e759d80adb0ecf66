"""The comparison of a new release with the one that runs, over the same minutes. Needs no command and no gate."""
