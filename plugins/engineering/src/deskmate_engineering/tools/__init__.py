"""The tools of the engineering plugin."""
