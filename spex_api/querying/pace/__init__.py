"""How fast an endpoint may be asked: limits a minute, and how many requests at once."""
