-- Out: every sealed token there is: of connections, and of dialogs under way.
SELECT 'connection' AS place, connection_id AS id, client_id, token_sealed
FROM sec.connection WHERE token_sealed IS NOT NULL
UNION ALL
SELECT 'attempt', attempt_id, client_id, token_sealed
FROM sec.connect_attempt WHERE token_sealed IS NOT NULL
ORDER BY 1, 2
