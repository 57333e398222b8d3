"""The pages people see: plain HTML that works without JavaScript."""
