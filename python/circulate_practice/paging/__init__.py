"""Lists: records in memory, filters, cursors, pages, and the links between them."""
