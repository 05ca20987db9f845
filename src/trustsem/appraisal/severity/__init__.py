"""What a test could have shown: severity, probe, calibration."""
