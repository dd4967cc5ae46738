"""PowerPoint decks: reading, geometry, edits that patch the file, new decks, summaries with sources."""
