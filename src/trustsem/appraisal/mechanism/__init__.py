"""How causes reach outcomes."""
