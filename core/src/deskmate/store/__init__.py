"""The log of a thread, its blobs, and what proves both: the adapter of `Store` and `Blobs`."""
