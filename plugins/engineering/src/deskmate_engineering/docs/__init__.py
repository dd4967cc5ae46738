"""Checks Markdown against what is really there: links, anchors, code blocks, names of files."""
