-- In: login. Out: it, when it was a notebook's.
SELECT login FROM sec.login WHERE login = :login AND kind = 'notebook'
