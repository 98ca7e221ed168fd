"""How many queries → QueryPlan: which masks are worth asking."""
