-- Out: whether anybody has a password.
SELECT EXISTS (SELECT 1 FROM sec.password)
