-- In: hash of a browser's cookie, now. Out: its newest dialog that is neither over nor done.
SELECT t.attempt_id, t.client_id, t.person_id, t.invite_id, t.write, t.redirect_uri,
       t.answered_at, t.token_sealed, t.meta_user_id, t.facts, c.slug, c.name, c.brand
FROM sec.connect_attempt t JOIN app.client c USING (client_id)
WHERE t.browser_hash = :browser_hash AND t.done_at IS NULL AND t.expires_at > :now
ORDER BY t.attempt_id DESC LIMIT 1
