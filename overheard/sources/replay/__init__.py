"""Files of items, read as if they were live."""
