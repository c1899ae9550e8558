-- In: what debug_token told, the sealed token, who connected it. Out: connection_id.
INSERT INTO sec.connection (client_id, token_sealed, app_id, meta_user_id, meta_user_name,
                            token_type, scopes, expires_at, data_expires_at, connected_by, facts_at)
VALUES (:client_id, :token_sealed, :app_id, :meta_user_id, :meta_user_name, :token_type, :scopes,
        :expires_at, :data_expires_at, :connected_by, :facts_at)
RETURNING connection_id
