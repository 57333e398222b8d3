"""One call per provider: does it take this key?"""
