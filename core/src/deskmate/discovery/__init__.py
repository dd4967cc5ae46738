"""Installed distributions → manifests → locks → layers, and the check of what a guest reports.

Nothing here imports, compiles or runs a plugin's code: plugins are read as data.
"""
