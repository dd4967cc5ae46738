"""Adapters of the Model port: the Messages API, rules only, and replay."""
