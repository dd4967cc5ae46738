"""The output validators of the finance plugin."""
