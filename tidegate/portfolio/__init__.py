"""What the portfolio as a whole has done."""
