"""Checks of the data, one a file: each returns the number of offenders."""
