"""What the account of custom SQL may read on a server: grants and row policies."""
