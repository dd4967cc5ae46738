"""Architecture decision records: read, written, numbered, linked and checked."""
