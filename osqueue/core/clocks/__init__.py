"""What a clock says, and what is made of it."""
