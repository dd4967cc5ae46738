"""Deskmate: an open AI coworker on the user's own machine. Public for plugins: `deskmate.plugin`."""

__version__ = "0.1.0"
