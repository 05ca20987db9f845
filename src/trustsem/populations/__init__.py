"""What is true where data come from: populations changed, split over levels, unfolded over waves; margins, thresholds, teams, arms and holes."""
