"""Workbooks: read as a map, edited by patching their parts, compared cell by cell; never saved anew."""
