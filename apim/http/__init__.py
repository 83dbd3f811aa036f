"""HTTP on both sides of the gateway: the server for clients, the connections to backends.

It is built on parts of aiohttp that are not its public API; `internals` lists them. No other module may use
them.
"""
