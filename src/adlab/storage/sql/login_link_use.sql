-- In: hash of a one-time token. Out: the person it logs in, once; NULL when used or expired.
SELECT sec.use_login_link(:hash)
