"""The company's shop and Polar's HTTP API over it."""
