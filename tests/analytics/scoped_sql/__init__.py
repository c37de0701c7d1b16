"""Tests of schoolhouse.analytics.scoped_sql."""
