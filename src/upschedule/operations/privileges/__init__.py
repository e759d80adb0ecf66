"""What each process may do in each store: declared here once, for one machine and the cluster alike (decision 16)."""
