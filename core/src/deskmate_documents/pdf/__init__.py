"""PDF files: text with its place, tables, forms, pages, redaction, annotations."""
