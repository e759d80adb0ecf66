"""Declares what each process may do in each store, for one machine and for the cluster (decision 16)."""
