"""What else could be true, and whether these data could tell."""
