"""Interventional Shapley values of the response model, per patient."""
