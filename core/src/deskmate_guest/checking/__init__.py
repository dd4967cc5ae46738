"""The probe of `plugin check`: loads a plugin in a process of its own, calls it, and writes down what it does.

It runs inside a virtual machine. It finds what an author overlooked; it is no wall: the machine is.
"""
