"""The revenue page of a payment channel, and its search for customers."""
