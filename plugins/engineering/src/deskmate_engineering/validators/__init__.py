"""The output validators of the engineering plugin."""
