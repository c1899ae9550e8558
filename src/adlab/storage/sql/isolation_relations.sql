-- Out: every table, view, materialisation and sequence of schemas `app` and `sec`, quoted.
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('app', 'sec') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1
