"""HTTP/1.1 to suppliers: connections, framing, time limits, TLS."""
