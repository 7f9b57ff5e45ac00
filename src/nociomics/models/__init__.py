"""Everything that learns: feature blocks, splits, response, strata."""
