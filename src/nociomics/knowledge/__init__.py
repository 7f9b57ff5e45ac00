"""Facts with their sources: data files and typed readers; no patient data."""
