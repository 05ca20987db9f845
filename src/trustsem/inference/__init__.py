"""What follows from a fit: formulas on arrays."""
