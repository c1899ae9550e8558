-- Forget connections no account uses any more (their token is deleted with them).
DELETE FROM sec.connection c
WHERE c.client_id = :client_id
  AND NOT EXISTS (SELECT 1 FROM app.account a WHERE a.connection_id = c.connection_id)
