"""What queries read: each of these looks through the tables within bounds, and changes nothing."""
