"""QueryPlan → Samples: asks the model under each mask, and never twice. No mathematics."""
