"""The output validators of the HR plugin."""
