"""A simulated campus: statements, course and learner tables, and the truth about them."""
