-- In: asked_before. Out: connections with a token that Meta has not been asked about since.
SELECT connection_id FROM sec.connection
WHERE token_sealed IS NOT NULL AND (facts_at IS NULL OR facts_at <= :asked_before)
ORDER BY facts_at NULLS FIRST, connection_id
