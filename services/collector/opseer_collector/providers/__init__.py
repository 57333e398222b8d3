"""One folder per provider: everything that knows how its API speaks."""
