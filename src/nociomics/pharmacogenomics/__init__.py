"""Pharmacogene calls and drug advice that keep every diplotype that fits."""
