"""Groups of people and teams: roles compared, levels compared."""
