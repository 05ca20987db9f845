"""How it is told: path diagrams, tables and self-contained pages."""
