"""The gateway's rules: pure functions and plain values, no input or output."""
