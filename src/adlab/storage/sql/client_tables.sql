-- Out: columns of every table of adlab that has client_id or account_id, in order: table, column,
-- type (an array ends in []), whether it is never NULL.
SELECT n.nspname || '.' || t.relname AS name, a.attname AS column_name,
       format_type(a.atttypid, NULL) AS type, a.attnotnull AS required
FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname IN ('app', 'sec') AND t.relkind IN ('r', 'p') AND NOT t.relispartition
  AND EXISTS (SELECT 1 FROM pg_attribute k WHERE k.attrelid = t.oid AND NOT k.attisdropped
              AND k.attname IN ('client_id', 'account_id'))
ORDER BY n.nspname, t.relname, a.attnum
