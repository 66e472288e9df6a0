"""Where Tidegate lives: Ray actors, thin shells round the bottom floor."""
