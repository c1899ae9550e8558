-- In: since (day of UTC). Out: per reason how much was refused since then, and when last.
SELECT r.reason, sum(r.refused)::bigint AS refused, max(r.last_at) AS last_at
FROM app.webhook_refusal r WHERE r.day >= :since GROUP BY r.reason ORDER BY r.reason
