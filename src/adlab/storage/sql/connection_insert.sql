-- In: what debug_token told, and the sealed token. Out: connection_id.
INSERT INTO sec.connection (client_id, token_sealed, app_id, meta_user_id, token_type, scopes,
                            expires_at, data_expires_at)
VALUES (:client_id, :token_sealed, :app_id, :meta_user_id, :token_type, :scopes,
        :expires_at, :data_expires_at)
RETURNING connection_id
