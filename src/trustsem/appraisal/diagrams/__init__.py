"""What a path diagram says by itself: separation, adjustment, instruments, equivalence."""
