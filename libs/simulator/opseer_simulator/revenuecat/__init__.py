"""The company's iOS app and RevenueCat's HTTP API over it."""
