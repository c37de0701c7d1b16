"""Vega-Lite specifications, one a file, without data."""
