"""Statements in: files, the xAPI resource, the upload pipeline and its bundles."""
