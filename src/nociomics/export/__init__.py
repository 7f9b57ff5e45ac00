"""The model bundle: declarative files with hashes, and predictions from it."""
