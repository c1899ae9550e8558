-- In: client_ids, since, until. Out: accounts and levels whose spend does not add up to the
-- account's own on those days: number of days, first, last, both sums, objects that are gone.
SELECT g.client_id, g.account_id, g.level, a.currency, count(*) AS days, min(g.date) AS first_day,
       max(g.date) AS last_day, sum(g.spend_micro_expected)::bigint AS expected,
       sum(g.spend_micro_found)::bigint AS found, max(g.gone) AS gone
FROM app.level_gap g JOIN app.account a USING (account_id)
WHERE g.client_id = ANY (:client_ids) AND g.date BETWEEN :since AND :until
  AND g.spend_micro_expected <> g.spend_micro_found
GROUP BY g.client_id, g.account_id, g.level, a.currency
ORDER BY g.account_id, g.level
