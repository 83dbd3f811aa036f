"""HTTP on both sides of the gateway: the server for clients and the connections to backends.

The package uses parts of aiohttp that are not in its public API; `internals` lists them. No other module may
use them.
"""
