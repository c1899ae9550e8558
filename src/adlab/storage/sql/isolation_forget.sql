-- Takes away the people a check of the isolation made, with their grants and logins.
DELETE FROM sec.person WHERE username LIKE 'isolation-check-%'
