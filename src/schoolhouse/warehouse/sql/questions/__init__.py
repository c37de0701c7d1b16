"""Sample questions about the whole warehouse, one a file."""
