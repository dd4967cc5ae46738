"""Readers of other people's formats: Claude plugins, marketplaces, Agent Skills. Bytes in, nouns and diagnostics out.

Nothing here runs, imports, fetches or rewrites what it reads; every read is bounded.
"""
