"""Tests of schoolhouse.accounts."""
