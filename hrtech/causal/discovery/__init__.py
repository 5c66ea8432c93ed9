"""Causal discovery."""
