"""Many explanations → what they have in common, and how sure that is."""
