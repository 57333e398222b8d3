"""All SQL of the collector.

runs.py        claiming, renewing and ending runs under a lease with a fence
rows.py        what a provider sent, page by page
publishing.py  the figures that follow, in one transaction
connections.py what connects, disconnects and is due
"""
