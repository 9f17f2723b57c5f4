"""Where the credentials for a bucket come from, and how they stay fresh."""
