-- In: login, expires_at.
UPDATE sec.login SET expires_at = :expires_at WHERE login = :login
