"""What data would be needed: sample size and power, detectable effects, designs under a budget, and cut-offs for fit measures."""
