"""Calls models: one HTTP transport, a simulated one, and the first answer along a list of models."""
