"""Administration of the gateway's grants, clients and keys: `python -m gateway.admin --help`."""
