"""The journal: one sequence of events, append-only, durable before anything is answered."""
