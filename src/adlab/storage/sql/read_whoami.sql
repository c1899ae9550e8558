-- Out: the person behind this login: name, role, login, expiry, client slugs. Nothing when unknown.
SELECT name, role, login, login_expires_at, clients, grant_expires_at FROM api.whoami()
