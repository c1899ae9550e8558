-- Out: requests to be carried out, each locked for this process.
SELECT request_id, code, meta_user_id FROM sec.deletion_request
WHERE done_at IS NULL ORDER BY request_id FOR UPDATE SKIP LOCKED
