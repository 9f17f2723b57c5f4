"""`osqueue doctor`: what a store really does, before or while a queue lives in it."""
