-- In: code. Out: how far the request has come.
SELECT requested_at, done_at, deleted FROM sec.deletion_request WHERE code = :code
