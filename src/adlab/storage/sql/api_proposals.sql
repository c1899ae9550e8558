-- In: client_ids, proposal_id or null, state or null, before (proposal id), limit. Out: proposals
-- of changes, newest first.
SELECT p.proposal_id, p.client_id, c.slug, p.account_id, p.level, p.object_id, p.kind, p.change,
       p.before, p.wanted, p.state, p.reason, p.proposed_by, p.proposed_at, a.currency
FROM api.change_proposals p JOIN api.clients c USING (client_id)
JOIN api.accounts a ON a.account_id = p.account_id
WHERE p.client_id = ANY (:client_ids)
  AND (CAST(:proposal_id AS bigint) IS NULL OR p.proposal_id = :proposal_id)
  AND (CAST(:state AS text) IS NULL OR p.state = :state)
  AND p.proposal_id < :before
ORDER BY p.proposal_id DESC LIMIT :limit
