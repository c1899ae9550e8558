-- In: connection_id. Forgets a connection and with it its token.
DELETE FROM sec.connection WHERE connection_id = :connection_id
