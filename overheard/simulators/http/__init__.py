"""What simulators share: the HTTP server, injected failures, counters, and the control path for other processes."""
