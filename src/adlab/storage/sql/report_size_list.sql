-- In: account_id, since. Out: what was learned of its reports since then.
SELECT kind, days, ids, fields, report_from_days FROM app.report_size
WHERE account_id = :account_id AND learned_at >= :since
