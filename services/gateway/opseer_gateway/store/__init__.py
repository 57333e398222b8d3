"""The gateway's SQL: its own tables, and the views that others publish."""
