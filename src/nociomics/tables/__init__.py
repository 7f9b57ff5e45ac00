"""Contracts of the tables that cross a stage boundary, and the study that names them."""
