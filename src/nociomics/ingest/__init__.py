"""Foreign files to contract tables: one reader per modality, nothing converted, nothing dropped in silence."""
