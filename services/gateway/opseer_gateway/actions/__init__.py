"""What the gateway does for its visitors, on ports that app.py fills."""
