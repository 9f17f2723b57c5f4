"""What a bucket does to objects by itself: keeps copies, deletes, moves, refuses to replace."""
