"""The places that credentials for S3 come from, in the order of botocore."""
