-- In: client_ids, history. Out: goals, the replaced ones too when history is wanted.
SELECT g.client_id, c.slug, g.metric, g.target, g.currency, g.set_by, g.set_at, g.replaced_at
FROM api.goals g JOIN api.clients c USING (client_id)
WHERE g.client_id = ANY (:client_ids) AND (:history OR g.replaced_at IS NULL)
ORDER BY c.slug, g.metric, g.currency, g.set_at, g.goal_id
