"""What several machines share: answers, the caps of a run, and an endpoint's limits."""
