"""The queue's time, decided from the readings of clocks."""
