"""Objects and their versions in one bucket, folder or memory: knows nothing about jobs."""
