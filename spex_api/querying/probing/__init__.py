"""A probe from the inside: what was answered, and a verdict on each point."""
