"""Word documents: reading, redlining, revisions, comparison."""
