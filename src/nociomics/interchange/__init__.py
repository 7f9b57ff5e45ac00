"""Hand harmonised tables to other tools, and read them back the same."""
