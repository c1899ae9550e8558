-- Out: a call of each function and aggregate of schemas `app` and `sec`, with nulls of its types.
SELECT format('%I.%I(%s)', n.nspname, p.proname,
  (SELECT coalesce(string_agg('NULL::' || format_type(t.one, NULL), ', ' ORDER BY t.place), '')
   FROM unnest(p.proargtypes) WITH ORDINALITY AS t(one, place)))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname IN ('app', 'sec') AND p.prokind = 'f' ORDER BY 1
