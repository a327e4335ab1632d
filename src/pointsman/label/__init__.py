"""The label stage."""
