"""Tests of the simulated campus."""
