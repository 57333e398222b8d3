"""The account side: channels and their keys, people, projects, tokens, the API page."""
