"""What a model implies: RAM structure, implied moments, starting values."""
