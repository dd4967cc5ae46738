"""Deterministic checks of a change, one class of defect each."""
