"""The tools of the finance plugin."""
