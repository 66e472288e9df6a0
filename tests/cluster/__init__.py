"""Several nodes of Ray, on one machine."""
