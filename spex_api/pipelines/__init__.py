"""The user's own pipeline → an explanation: its parts left out, its model calls kept and capped."""
