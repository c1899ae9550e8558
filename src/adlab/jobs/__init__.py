"""The worker: what is due is queued by one leader and done by every worker."""
