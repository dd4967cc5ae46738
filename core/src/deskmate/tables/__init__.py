"""Tables over many documents: their order, their record, the work on one row, their export. No adapter is built here."""
