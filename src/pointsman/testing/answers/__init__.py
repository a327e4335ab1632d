"""Answers in each dialect, written from a `Reply`, independent of the code under test."""
