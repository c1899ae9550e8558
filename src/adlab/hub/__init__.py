"""What `jupyterhub_config.py` assigns: who may log in, what they get, how a server starts.

JupyterHub is the identity of the house: boards and web endpoints are its services, notebooks its
servers. People, passwords and rights are the store's; nothing is kept twice.
"""
