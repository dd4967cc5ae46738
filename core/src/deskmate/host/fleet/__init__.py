"""A pool of workers on one machine or many: its tables, its workers, and looking after it."""
