"""Figures on how good the data are: pure functions over contract tables; nothing here changes a value."""
