-- In: a dialog that begins. Out: attempt_id.
INSERT INTO sec.connect_attempt (state_hash, browser_hash, client_id, person_id, invite_id, write,
                                 redirect_uri, created_at, expires_at)
VALUES (:state_hash, :browser_hash, :client_id, :person_id, :invite_id, :write, :redirect_uri,
        :now, :expires_at)
RETURNING attempt_id
