"""How good the rows of a window are."""
