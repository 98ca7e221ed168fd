"""Many prompts under one budget: each explained as far as it pays, and what they have in common."""
