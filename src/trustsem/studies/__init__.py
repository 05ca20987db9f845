"""What repeated sampling shows: the design of a simulation study, its tasks, how they are run and stored, and what their results say."""
