"""What the data say of the theory: verdicts, severity, implied independencies, rivals, sensitivity."""
