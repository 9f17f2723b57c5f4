"""What queries are made of and answered with, where that takes more than a line."""
