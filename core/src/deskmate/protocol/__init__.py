"""MCP over given byte streams, bounded before it is parsed. The only importer of `mcp`."""
