"""What the collector knows about days, money and rows. Pure: no I/O, no clock."""
