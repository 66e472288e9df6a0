"""Journals as earlier versions recorded them: every later version must come to the same states."""
