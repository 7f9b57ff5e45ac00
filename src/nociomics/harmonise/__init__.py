"""Pure functions from contract tables to features; none uses one patient to treat another."""
