"""Nouns: frozen dataclasses and names, no I/O. Import from the module that holds the noun."""
