"""Documents for plugins, inside the virtual machine: reading, patching, redlining, quoting.

The built-in `office` plugin's hooks live here; plugins import the modules below.
"""
