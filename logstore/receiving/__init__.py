"""The endpoint that applications send to: what arrives over HTTP becomes records, or is refused."""
