"""The risk engine: it decides every order, and keeps the book that it decides on."""
