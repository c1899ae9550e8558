-- In: connection_id. Out: client_id and sealed token of that connection, locked until the end.
SELECT client_id, token_sealed FROM sec.connection WHERE connection_id = :connection_id FOR UPDATE
