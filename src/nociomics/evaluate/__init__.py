"""Figures about predictions, with intervals; no plots, no files."""
