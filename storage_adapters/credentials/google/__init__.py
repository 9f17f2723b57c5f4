"""The places that credentials for Google Cloud Storage come from."""
