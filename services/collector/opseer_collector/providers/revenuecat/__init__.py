"""RevenueCat: what its charts say about an app, day by day of UTC."""
