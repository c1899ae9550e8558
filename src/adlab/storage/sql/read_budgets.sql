-- In: client_ids, since, until, history. Out: budgets that touch those days, the replaced ones too
-- when history is wanted.
SELECT b.client_id, c.slug, b.scope, b.since, b.until, b.currency, b.amount_micro, b.note, b.set_by,
       b.set_at, b.replaced_at
FROM api.budgets b JOIN api.clients c USING (client_id)
WHERE b.client_id = ANY (:client_ids) AND b.since <= :until AND b.until >= :since
  AND (:history OR b.replaced_at IS NULL)
ORDER BY c.slug, b.scope <> 'client', b.scope, b.currency, b.since, b.set_at, b.budget_id
