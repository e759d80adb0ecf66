"""Packs what runs on the cluster, and brings it to where Nomad fetches it (R12.1)."""
