"""The statements of the warehouse, one a file."""
