"""Tests of the whole. A package, so that no `tests` which something installed brings is taken for it."""
