"""The same claims by other methods of estimation."""
