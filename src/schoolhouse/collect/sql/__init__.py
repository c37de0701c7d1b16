"""Statements of SQL that the xAPI resource asks."""
