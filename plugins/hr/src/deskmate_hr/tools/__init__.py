"""The tools of the HR plugin."""
