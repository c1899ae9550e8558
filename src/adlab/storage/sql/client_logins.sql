-- In: client_id. Out: logins that are for this client only.
SELECT login FROM sec.login WHERE client_id = :client_id ORDER BY login
