"""The broker: the one way out of a VM, where every request is checked, recorded and carried out."""
