"""The output validators of the operations plugin."""
