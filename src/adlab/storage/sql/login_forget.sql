-- In: login.
DELETE FROM sec.login WHERE login = :login
