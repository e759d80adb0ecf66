"""Reading schedule PDFs: words and rules to cells, cells to events, inside a process that can do nothing else."""
