"""What a theory denies, and whether the data bear it out."""
