"""`osqueue top`: what happens in the queue, while it happens."""
