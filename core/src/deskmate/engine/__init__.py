"""Adapters of the Engine port: what runs many items durably."""
