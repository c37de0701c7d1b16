"""Example configurations for `simulate load-db`, one a backend; they run in the tests."""
