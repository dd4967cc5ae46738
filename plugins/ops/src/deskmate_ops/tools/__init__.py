"""The tools of the operations plugin."""
