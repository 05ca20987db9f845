"""Speed of trustsem beside lavaan and semopy: ``python -m benchmarks``."""
