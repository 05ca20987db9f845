"""How strong what was left out would have to be."""
