"""The questions of analytics, one a file."""
