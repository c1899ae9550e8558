-- In: hash of a state. Out: the dialog it belongs to, whatever became of it.
SELECT t.attempt_id, t.browser_hash, t.client_id, t.person_id, t.invite_id, t.write,
       t.redirect_uri, t.expires_at, t.answered_at, c.slug, c.name, c.brand
FROM sec.connect_attempt t JOIN app.client c USING (client_id)
WHERE t.state_hash = :state_hash
